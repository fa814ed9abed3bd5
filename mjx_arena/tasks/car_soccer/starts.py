"""Starts of a match: kick-off, random, on the roof, or a drill. The first half of the A cars attacks towards +y."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mjx_arena.tasks.car_soccer import ball, boost, car, field

_KICKOFFS = np.array(
    [(-2048, -2560, 0.25), (2048, -2560, 0.75), (-256, -3840, 0.5), (256, -3840, 0.5), (0, -4608, 0.5)]
)  # x, y, and yaw in half turns, of cars that attack towards +y
_SPACING = 400.0  # uu between cars that only wait in a drill


class Start(struct.PyTreeNode):
    """The state that a match starts in. Of the B = 1 + A bodies, row 0 is the ball, the others are the cars."""

    position: jax.Array  # [B, 3] uu
    quat: jax.Array  # [B, 4]
    velocity: jax.Array  # [B, 3] uu/s
    spin: jax.Array  # [B, 3] rad/s in the body's own coordinates
    boost: jax.Array  # [A] of 100


def kickoff(key: chex.PRNGKey, num_cars: int) -> Start:
    """Draws a kick-off: the ball at rest in the middle, the teams at mirrored places."""
    team = num_cars // 2
    place = jnp.asarray(_KICKOFFS)[jax.random.permutation(key, len(_KICKOFFS))[:team]]
    yaw = place[:, 2] * jnp.pi
    position = jnp.column_stack([place[:, :2], jnp.full(team, car.REST_HEIGHT)])
    cars = jnp.concatenate([position, position * jnp.array([-1, -1, 1])])
    quat = _yaw(jnp.concatenate([yaw, yaw + jnp.pi]))
    return _start(jnp.array([0, 0, ball.REST_HEIGHT]), jnp.zeros(3), cars, quat, boost=boost.AT_KICKOFF)


def anywhere(key: chex.PRNGKey, num_cars: int) -> Start:
    """Draws places and velocities of ball and cars at random; each car is in the air or on its wheels, as likely."""
    keys = jax.random.split(key, 9)
    low, high = jnp.array([-3500, -4300, 100.0]), jnp.array([3500, 4300, 1900.0])
    place = jax.random.uniform(keys[0], (1 + num_cars, 3), minval=low, maxval=high)
    in_air = jax.random.uniform(keys[1], (num_cars,)) < 0.5
    height = jnp.where(in_air, jnp.maximum(place[1:, 2], 150), car.REST_HEIGHT)
    quat = jax.random.normal(keys[2], (num_cars, 4))
    quat = jnp.where(
        in_air[:, None], quat / jnp.linalg.norm(quat, axis=-1, keepdims=True), _yaw(_turn(keys[3], num_cars))
    )
    speed = jax.random.uniform(keys[4], (num_cars, 1), maxval=0.7 * car.MAX_SPEED)
    ahead = jax.vmap(_forward)(quat)
    flight = _direction(keys[5], num_cars)
    velocity = speed * jnp.where(in_air[:, None], flight, ahead)
    spin = jnp.where(in_air[:, None], jax.random.uniform(keys[6], (num_cars, 3), minval=-3, maxval=3), 0)
    rolling = _direction(keys[7], 1)[0] * jax.random.uniform(keys[8], maxval=2000.0)
    start = _start(place[0], rolling, place[1:].at[:, 2].set(height), quat, velocity, spin)
    return start.replace(boost=jax.random.uniform(keys[1], (num_cars,), maxval=boost.FULL))


def turtled(key: chex.PRNGKey, num_cars: int) -> Start:
    """Draws as `anywhere` does, but lets the cars fall onto their roofs, up to 0.55 rad off."""
    k_rest, k_roll, k_yaw = jax.random.split(key, 3)
    start = anywhere(k_rest, num_cars)
    roll = jnp.pi + jax.random.uniform(k_roll, (num_cars,), minval=-0.55, maxval=0.55)
    quat = jax.vmap(_turned_over)(_turn(k_yaw, num_cars), roll)
    position = start.position.at[1:, 2].set(70.0)
    velocity = start.velocity.at[1:].set(jnp.array([0, 0, -300.0]))
    quats, spin = start.quat.at[1:].set(quat), start.spin.at[1:].set(0)
    return start.replace(position=position, quat=quats, velocity=velocity, spin=spin)


def wall(key: chex.PRNGKey, num_cars: int) -> Start:
    """Draws a drill in which the ball bounces off a side wall, ahead of the first car."""
    k_side, k_y, k_z = jax.random.split(key, 3)
    side = jnp.where(jax.random.bernoulli(k_side), 1.0, -1.0)
    y = jax.random.uniform(k_y, minval=-3000, maxval=1500)
    the_ball = jnp.stack([side * 3000, y + 1000, jax.random.uniform(k_z, minval=200, maxval=900)])
    cars = _waiting(num_cars).at[0].set(jnp.stack([side * 2400, y, car.REST_HEIGHT]))
    velocity = jnp.zeros((num_cars, 3)).at[0].set(jnp.array([0, 1000.0, 0]))
    return _start(the_ball, jnp.stack([side * 1200, 300.0, 400.0]), cars, _yaw(_ahead(num_cars)), velocity)


def aerial(key: chex.PRNGKey, num_cars: int) -> Start:
    """Draws a drill in which the ball comes down in front of the first car, which has to fly to meet it."""
    k_x, k_y, k_z = jax.random.split(key, 3)
    x, y = jax.random.uniform(k_x, minval=-2500, maxval=2500), jax.random.uniform(k_y, minval=-3500, maxval=1000)
    the_ball = jnp.stack([x, y + 1200, jax.random.uniform(k_z, minval=900, maxval=1700)])
    cars = _waiting(num_cars).at[0].set(jnp.stack([x, y, car.REST_HEIGHT]))
    velocity = jnp.zeros((num_cars, 3)).at[0].set(jnp.array([0, 900.0, 0]))
    return _start(the_ball, jnp.array([0, 200.0, 300.0]), cars, _yaw(_ahead(num_cars)), velocity)


def air_dribble(key: chex.PRNGKey, num_cars: int) -> Start:
    """Draws a drill in which the first car and the ball fly towards the goal, the car below and behind."""
    k_x, k_z = jax.random.split(key)
    x, z = jax.random.uniform(k_x, minval=-1500, maxval=1500), jax.random.uniform(k_z, minval=500, maxval=1200)
    the_ball = jnp.stack([x, jnp.float32(0), z])
    cars = _waiting(num_cars).at[0].set(the_ball + jnp.array([0, -150.0, -110.0]))
    fly = jnp.array([0, 900.0, 250.0])
    velocity = jnp.zeros((num_cars, 3)).at[0].set(fly)
    quat = _yaw(_ahead(num_cars)).at[0].set(_pitched(jnp.pi / 2, 0.6))
    return _start(the_ball, fly, cars, quat, velocity)


def flip_reset(key: chex.PRNGKey, num_cars: int) -> Start:
    """Draws a drill in which the first car flies upside down below the ball, its wheels towards the ball."""
    k_x, k_z = jax.random.split(key)
    x, z = jax.random.uniform(k_x, minval=-1500, maxval=1500), jax.random.uniform(k_z, minval=700, maxval=1400)
    the_ball = jnp.stack([x, jnp.float32(0), z])
    cars = _waiting(num_cars).at[0].set(the_ball + jnp.array([0, -60.0, -200.0]))
    velocity = jnp.zeros((num_cars, 3)).at[0].set(jnp.array([0, 800.0, 450.0]))
    over = _turned_over(jnp.float32(jnp.pi / 2), jnp.float32(jnp.pi))
    return _start(the_ball, jnp.array([0, 800.0, 250.0]), cars, _yaw(_ahead(num_cars)).at[0].set(over), velocity)


MATCHES: dict[str, Callable[[chex.PRNGKey, int], Start]] = {
    "kickoff": kickoff,
    "random": anywhere,
    "turtled": turtled,
}
DRILLS: dict[str, Callable[[chex.PRNGKey, int], Start]] = {
    "wall": wall,
    "aerial": aerial,
    "air_dribble": air_dribble,
    "flip_reset": flip_reset,
}


def draw(key: chex.PRNGKey, num_cars: int, shares: jax.Array) -> tuple[Start, jax.Array]:
    """Draws a start with odds `shares` `[7]`; returns it and its index `[]` in `MATCHES` followed by `DRILLS`."""
    k_which, k_start = jax.random.split(key)
    functions = [*MATCHES.values(), *DRILLS.values()]
    which = jax.random.categorical(k_which, jnp.log(shares))
    each = [function(k_start, num_cars) for function in functions]
    return jax.tree.map(lambda *parts: jnp.stack(parts)[which], *each), which


def _start(the_ball, rolling, cars, quat, velocity=None, spin=None, boost: float = 50.0) -> Start:
    num_cars = len(cars)
    nothing = jnp.zeros((num_cars, 3))
    return Start(
        position=jnp.concatenate([the_ball[None], cars]),
        quat=jnp.concatenate([jnp.array([[1.0, 0, 0, 0]]), quat]),
        velocity=jnp.concatenate([rolling[None], nothing if velocity is None else velocity]),
        spin=jnp.concatenate([jnp.zeros((1, 3)), nothing if spin is None else spin]),
        boost=jnp.full(num_cars, boost),
    )


def _waiting(num_cars: int) -> jax.Array:
    """Returns places `[A, 3]` in front of the goals, for cars that only wait in a drill."""
    team = num_cars // 2
    x = _SPACING * (jnp.arange(team) - (team - 1) / 2)
    y, z = jnp.full(team, field.HALF_LENGTH - 500), jnp.full(team, car.REST_HEIGHT)
    return jnp.concatenate([jnp.column_stack([x, -y, z]), jnp.column_stack([x, y, z])])


def _ahead(num_cars: int) -> jax.Array:
    """Returns yaws `[A]` rad towards the other team's goal."""
    return jnp.where(jnp.arange(num_cars) < num_cars // 2, 0.5, -0.5) * jnp.pi


def _turn(key: chex.PRNGKey, num: int) -> jax.Array:
    return jax.random.uniform(key, (num,), minval=-jnp.pi, maxval=jnp.pi)


def _direction(key: chex.PRNGKey, num: int) -> jax.Array:
    vector = jax.random.normal(key, (num, 3))
    return vector / jnp.linalg.norm(vector, axis=-1, keepdims=True)


def _yaw(angle: jax.Array) -> jax.Array:
    zero = jnp.zeros_like(angle)
    return jnp.stack([jnp.cos(angle / 2), zero, zero, jnp.sin(angle / 2)], -1)


def _turned_over(yaw: jax.Array, roll: jax.Array) -> jax.Array:
    """Returns the quaternion `[4]` of a roll about the car's own axis and then a turn about the vertical."""
    c, s, cr, sr = jnp.cos(yaw / 2), jnp.sin(yaw / 2), jnp.cos(roll / 2), jnp.sin(roll / 2)
    return jnp.stack([c * cr, c * sr, s * sr, s * cr])


def _pitched(yaw: float, pitch: float) -> jax.Array:
    """Returns the quaternion `[4]` of a car with its nose up by `pitch` and then turned about the vertical."""
    c, s, cp, sp = np.cos(yaw / 2), np.sin(yaw / 2), np.cos(-pitch / 2), np.sin(-pitch / 2)
    return jnp.array([c * cp, -s * sp, c * sp, s * cp], jnp.float32)


def _forward(quat: jax.Array) -> jax.Array:
    w, x, y, z = quat
    return jnp.stack([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)])
