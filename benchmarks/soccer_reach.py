"""Share of random starts of car soccer that leave time for a touch: `python benchmarks/soccer_reach.py`.

The estimate favours the car: it turns at once and at no cost, lands before it drives, then accelerates along the
straight line to where it meets the ball, with boost while there is some and a dodge every 1.25 s, and touches all balls
up to 5 m high. But it does not fly.
"""

import argparse

import jax
import jax.numpy as jnp

from mjx_arena.tasks.car_soccer import ball, car, starts
from mjx_arena.tasks.car_soccer.rigid import Rigid
from mjx_arena.tasks.car_soccer.units import GRAVITY, TICK

TOUCH, HIGHEST = 160.0, 500.0  # uu between the centres; uu of the ball's height
THROTTLE, COASTS_AT = 1600.0, 1410.0  # uu/s^2 at rest; uu/s at which it has fallen to 0
BRAKE, DODGE, DODGE_EVERY = 3500.0, 500.0, 1.25  # uu/s^2, uu/s, s
BOOST = 991.67  # uu/s^2


def ball_path(start: starts.Start, ticks: int) -> jax.Array:
    """Returns positions `[ticks, 3]` uu of a ball that no car hits."""

    def step(body: Rigid, _):
        body = ball.before_step(body)
        velocity = body.velocity + jnp.array([0, 0, -GRAVITY * TICK])
        body = body.replace(velocity=velocity, position=body.position + velocity * TICK)
        return body, body.position

    body = Rigid(start.position[0], jnp.eye(3), start.velocity[0], jnp.zeros(3))
    return jax.lax.scan(step, body, None, ticks)[1]


def travelled(start: starts.Start, direction: jax.Array, ticks: int) -> jax.Array:
    """Returns how far the first car gets along a horizontal `direction` `[2]` after each tick: `[ticks]` uu."""
    fall, height = start.velocity[1, 2], jnp.maximum(start.position[1, 2] - car.REST_HEIGHT, 0)
    lands = (fall + jnp.sqrt(fall**2 + 2 * GRAVITY * height)) / GRAVITY

    def step(carry, tick):
        speed, distance, left, dodged = carry
        now = tick * TICK
        drives = now >= lands
        engine = jnp.where(speed < 0, BRAKE, THROTTLE * jnp.clip(1 - speed / COASTS_AT, 0, 1))
        boosts = drives & (left > 0)
        dodges = drives & (now - dodged >= DODGE_EVERY)
        gained = jnp.where(drives, engine, 0) + jnp.where(boosts, BOOST, 0)
        speed = jnp.minimum(speed + gained * TICK + jnp.where(dodges, DODGE, 0), car.MAX_SPEED)
        left = left - jnp.where(boosts, 33.3 * TICK, 0)
        carry = speed, distance + speed * TICK, left, jnp.where(dodges, now, dodged)
        return carry, carry[1]

    begins = start.velocity[1, :2] @ direction, jnp.float32(0), start.boost[0], lands
    return jax.lax.scan(step, begins, jnp.arange(ticks))[1]


def can_touch(start: starts.Start, seconds: float) -> jax.Array:
    """Returns whether the first car can meet the ball within `seconds`, `[]` bool, checked every 0.1 s."""
    ticks = round(seconds / TICK)
    path = ball_path(start, ticks)[11::12]
    offset = path[:, :2] - start.position[1, :2]
    distance = jnp.linalg.norm(offset, axis=1)
    reached = jax.vmap(lambda way: travelled(start, way, ticks)[11::12])(offset / (distance[:, None] + 1e-6))
    meets = (jnp.diagonal(reached) + TOUCH >= distance) & (path[:, 2] <= HIGHEST)
    return meets.any()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=4096)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    begun = jax.vmap(lambda key: starts.anywhere(key, 2))(jax.random.split(jax.random.key(0), arguments.starts))
    found = jax.jit(jax.vmap(lambda start: can_touch(start, arguments.seconds)))(begun)
    in_air = begun.position[:, 1, 2] > 2 * car.REST_HEIGHT
    shares = {"all": found.mean(), "on wheels": found[~in_air].mean(), "in the air": found[in_air].mean()}
    print(" · ".join(f"{name} {share:.1%}" for name, share in shares.items()))


if __name__ == "__main__":
    main()
