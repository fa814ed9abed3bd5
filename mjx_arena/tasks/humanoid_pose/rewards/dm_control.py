"""Stand, walk and run as the DeepMind Control Suite rewards its humanoid (Tassa et al., arXiv:1801.00690), in [0, 1].

Terms are factors: the reward is their product. The highest return of 1000 steps of 25 ms is 1000.
"""

import functools

import jax
import jax.numpy as jnp

from mjx_arena.tasks.humanoid_pose.body import HumanoidState

_HEAD_HEIGHT = 1.4  # m
_WALK, _RUN = 1.0, 10.0  # m/s


def _reward(m: HumanoidState, speed: float) -> tuple[jax.Array, dict[str, jax.Array]]:
    over = jnp.linalg.norm(m.com_velocity[:2] + 1e-9)
    factors = {
        "standing": _near(_HEAD_HEIGHT - m.head_height, margin=_HEAD_HEIGHT / 4),
        "upright": 1 - jnp.clip((0.9 - m.up[2]) / 1.9, 0, 1),
        "small_control": (4 + jnp.mean(1 - jnp.square(m.action))) / 5,
    }
    if speed:
        factors["move"] = (5 * jnp.clip(over / speed, 0, 1) + 1) / 6
    else:
        factors["dont_move"] = _near(jnp.abs(m.com_velocity[:2]), margin=2.0).mean()
    return jnp.stack(list(factors.values())).prod(), factors


stand = functools.partial(_reward, speed=0.0)
walk = functools.partial(_reward, speed=_WALK)
run = functools.partial(_reward, speed=_RUN)


def _near(beyond: jax.Array, margin: float) -> jax.Array:
    """Returns the suite's tolerance: 1 up to a bound, then a bell that is 0.1 at `margin` beyond it."""
    return jnp.power(0.1, jnp.square(jnp.maximum(beyond, 0) / margin))
