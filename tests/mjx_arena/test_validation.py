"""Every number in settings that is not finite is refused by its key, wherever it stands."""

import dataclasses
import math
from typing import Any

import pytest

import mjx_arena
from mjx_arena.validation import SettingError, require_finite


@dataclasses.dataclass(frozen=True)
class Inner:
    weight: float | None = 1.0


@dataclasses.dataclass(frozen=True)
class Outer:
    name: str = "inf"
    count: int = 10**400
    rate: float = 0.5
    inner: Inner = Inner()
    span: tuple[float, float] = (0.0, 1.0)
    shares: dict[str, float] = dataclasses.field(default_factory=dict)
    rows: tuple[Any, ...] = ()


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize(
    ("place", "key"),
    [
        (lambda x: {"rate": x}, "rate"),
        (lambda x: {"inner": Inner(x)}, "inner.weight"),
        (lambda x: {"span": (0.0, x)}, "span[1]"),
        (lambda x: {"shares": {"even": 0.5, "odd": x}}, "shares.odd"),
        (lambda x: {"rows": ({"shares": [1.0]}, {"shares": [1.0, x]})}, "rows[1].shares[1]"),
        (lambda x: {"rows": (Inner(), Inner(x))}, "rows[1].weight"),
    ],
)
def test_a_number_that_is_not_finite_is_refused_by_its_key(value, place, key):
    settings = Outer(**place(value))
    for prefix, expected in (("", key), ("task", f"task.{key}")):
        with pytest.raises(SettingError) as error:
            require_finite(settings, prefix)
        assert str(error.value) == f"{expected}={value}: must be a finite number"


def test_whole_numbers_texts_and_null_pass():
    require_finite(Outer(inner=Inner(None), shares={"even": -1e308}, rows=(Inner(), "nan", None)))


def test_an_arena_of_such_settings_is_not_built():
    with pytest.raises(SettingError, match=r"^task.start_noise=inf: must be a finite number$"):
        mjx_arena.make("qwop", start_noise=math.inf)
    physics = mjx_arena.PhysicsSettings(model=dataclasses.replace(mjx_arena.PhysicsSettings().model, timestep=math.nan))
    with pytest.raises(SettingError, match=r"^physics.model.timestep=nan: must be a finite number$"):
        mjx_arena.make("qwop", physics)
