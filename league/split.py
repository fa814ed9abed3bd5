"""Checks that a run's arenas split over devices, and its samples over minibatches; proposes numbers that do."""

from collections.abc import Iterable
from typing import Any

from league.settings import RunSettings
from mjx_arena.validation import SettingError, require


def learner_rows(arenas: int, mirror_fraction: float, num_agents: int) -> int:
    """Returns the rows of learning data that one device's `arenas` give in each control step.

    In mirror arenas, a fixed block of `round(arenas * mirror_fraction)`, every agent learns; in the others one does.
    """
    mirror = num_mirror(arenas, mirror_fraction, num_agents)
    return mirror * num_agents + (arenas - mirror)


def num_mirror(arenas: int, mirror_fraction: float, num_agents: int) -> int:
    """Returns how many of one device's `arenas` are mirror arenas; all where there is nobody to meet."""
    return arenas if num_agents == 1 else round(arenas * mirror_fraction)


def check_split(settings: RunSettings, devices: int) -> None:
    """Raises SettingError unless arenas split evenly over `devices`, and each device's samples over minibatches."""
    arenas = settings.num_arenas
    if arenas % devices:
        near = sorted({max(arenas // devices, 1) * devices, (arenas // devices + 1) * devices})
        remedy = f"must be a multiple of devices={devices}, for example {_listed(near)}"
        raise SettingError("num_arenas", arenas, remedy)
    rows = learner_rows(arenas // devices, settings.league.mirror_fraction, settings.task.num_agents)
    samples, size = settings.ppo.horizon * rows, settings.ppo.minibatch_size
    minibatches = settings.ppo.minibatches(samples * devices)
    near = _nearest_divisors(samples, minibatches)
    product = f"ppo.horizon={settings.ppo.horizon} x {rows} learner rows"
    if size is not None and (samples * devices != minibatches * size or samples % minibatches):
        sizes = sorted(samples * devices // count for count in near)
        whole = f"the {samples * devices} samples of an iteration ({product} x devices={devices})"
        remedy = f"must be a part of {whole} that splits over devices, for example {_listed(sizes)}"
        raise SettingError("ppo.minibatch_size", size, remedy)
    if samples % minibatches:
        remedy = f"must divide the {samples} samples of each device ({product}), for example {_listed(near)}"
        raise SettingError("ppo.num_minibatches", minibatches, remedy)


def choose_devices(settings: RunSettings, available: int, processes: int = 1) -> int:
    """Returns the number of devices to use: `settings.devices`, or the most that arenas and samples split over.

    It is a multiple of `processes`, over which it is split. Raises SettingError where there are too few devices, or
    where no number works.
    """
    if settings.devices is not None:
        require(
            settings.devices <= available,
            "devices",
            settings.devices,
            f"there are {available}; take at most that many, or null for all",
        )
        check_split(settings, settings.devices)
        return settings.devices
    for count in range(available // processes * processes, processes, -processes):
        try:
            check_split(settings, count)
        except SettingError:
            continue
        return count
    check_split(settings, processes)
    return processes


def _nearest_divisors(number: int, wanted: int, count: int = 3) -> list[int]:
    divisors = [divisor for divisor in range(1, min(number, 16 * wanted + 64) + 1) if number % divisor == 0]
    return sorted(sorted(divisors, key=lambda divisor: abs(divisor - wanted))[:count])


def _listed(values: Iterable[Any]) -> str:
    texts = [str(value) for value in values]
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
