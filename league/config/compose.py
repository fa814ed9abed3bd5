"""From the command line and `conf/` to one frozen `RunSettings`, or to one message: which key to change, and how.

Nothing here starts a JAX backend: a run that cannot work ends before anything compiles.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from league.config.schema import explain, hints_by_key, instantiate, schema_of, unknown_key
from league.run.logs import LoggerSettings
from league.settings import LeagueSettings
from mjx_arena.phases import Phase
from mjx_arena.physics.settings import PhysicsSettings
from mjx_arena.tasks import list_tasks, settings_of
from mjx_arena.validation import SettingError, require, require_finite
from ppo.settings import PPOSettings

# Keys that may differ between a run and its resumption; the group logger may too.
RESUMABLE_KEYS = (
    *("iterations", "total_arena_steps", "checkpoint_interval", "checkpoint_keep_interval", "compilation_cache"),
    *("phase", "milestone_interval", "debug"),
)
DEBUG_TOPICS = ("actions", "reset", "reward", "learning", "checkpoints")
_CHOOSING_KEYS = ("resume", "resume_step")


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """Everything that decides what a run does; `conf/config.yaml` says what each key means."""

    task: Any  # the task's own settings, with `name`, `num_agents` and `validate`
    physics: PhysicsSettings = dataclasses.field(default_factory=PhysicsSettings)
    ppo: PPOSettings = dataclasses.field(default_factory=PPOSettings)
    league: LeagueSettings = dataclasses.field(default_factory=LeagueSettings)
    logger: LoggerSettings = dataclasses.field(default_factory=LoggerSettings)
    num_arenas: int = 512
    iterations: int = 1500
    total_arena_steps: int | None = None
    seed: int = 0
    devices: int | None = None
    stagger: bool = False
    phase: int | None = None
    milestone_interval: int | None = None
    debug: str | None = None
    run_dir: str | None = None
    resume: str | None = None
    resume_step: int | None = None
    checkpoint_interval: int = 25
    checkpoint_keep_interval: int = 100
    compilation_cache: bool = True

    @property
    def task_name(self) -> str:
        return self.task.name

    @property
    def debug_topics(self) -> tuple[str, ...]:
        return tuple(self.debug.split("+")) if self.debug else ()

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Of the task; none for a task without."""
        return getattr(self.task, "phases", ())

    @property
    def arena_steps_per_iteration(self) -> int:
        return self.num_arenas * len(self.league.roles) * self.ppo.horizon

    def resolved(self) -> "RunSettings":
        """The same run with `total_arena_steps` turned into `iterations`, rounded up, and what other settings imply.

        That is the only device of an engine on the host, and somebody who does nothing for phases without self-play.
        """
        if self.physics.on_host and self.devices is None:
            return dataclasses.replace(self, devices=1).resolved()
        if not self.league.passive and not all(phase.self_play for phase in self.phases):
            return dataclasses.replace(self, league=dataclasses.replace(self.league, passive=True)).resolved()
        if self.total_arena_steps is None:
            return self
        require(self.total_arena_steps >= 1, "total_arena_steps", self.total_arena_steps, "must be at least 1, or null")
        iterations = math.ceil(self.total_arena_steps / self.arena_steps_per_iteration)
        return dataclasses.replace(self, iterations=iterations, total_arena_steps=None)

    def validate(self) -> None:
        """Raises SettingError for the first value that cannot work, by itself or together with others."""
        require_finite(self)
        for key in ("task", "physics", "ppo", "league", "logger"):
            getattr(self, key).validate(key)
        for key in ("num_arenas", "iterations", "checkpoint_interval", "checkpoint_keep_interval"):
            require(getattr(self, key) >= 1, key, getattr(self, key), "must be at least 1")
        last = max(len(self.phases), 1)
        require(self.phase is None or 1 <= self.phase <= last, "phase", self.phase, f"must lie between 1 and {last}")
        interval = self.milestone_interval
        require(interval is None or interval >= 1, "milestone_interval", interval, "must be at least 1, or null")
        for topic in self.debug_topics:
            require(topic in DEBUG_TOPICS, "debug", self.debug, f"must be of {', '.join(DEBUG_TOPICS)}, joined by +")
        require(0 <= self.seed < 2**32, "seed", self.seed, "must lie between 0 and 4294967295")
        if self.physics.on_host and self.devices is not None:
            remedy = f"physics={self.physics.engine} uses every core from one device; take 1, or null"
            require(self.devices == 1, "devices", self.devices, remedy)
        if self.devices is not None:
            require(self.devices >= 1, "devices", self.devices, "must be at least 1, or null for all there are")
            check_split(self, self.devices)
        else:
            check_split(self, 1)


def learner_rows(arenas: int, mirror_fraction: float, num_agents: int) -> int:
    """Rows of learning data that one device's `arenas` give in each control step.

    In mirror arenas, a fixed block of `round(arenas * mirror_fraction)`, every agent learns; in the others one does.
    """
    mirror = round(arenas * mirror_fraction)
    return mirror * num_agents + (arenas - mirror)


def check_split(settings: RunSettings, devices: int) -> None:
    """Raises SettingError unless arenas split evenly over `devices`, and each device's samples over minibatches."""
    arenas = settings.num_arenas
    if arenas % devices:
        near = sorted({max(arenas // devices, 1) * devices, (arenas // devices + 1) * devices})
        remedy = f"must be a multiple of devices={devices}, for example {_listed(near)}"
        raise SettingError("num_arenas", arenas, remedy)
    rows = learner_rows(arenas // devices, settings.league.mirror_fraction, settings.task.num_agents)
    samples, minibatches = settings.ppo.horizon * rows, settings.ppo.num_minibatches
    if samples % minibatches:
        remedy = (
            f"must divide the {samples} samples of each device (ppo.horizon={settings.ppo.horizon} x {rows} learner "
            f"rows), for example {_listed(_nearest_divisors(samples, minibatches))}"
        )
        raise SettingError("ppo.num_minibatches", minibatches, remedy)


def choose_devices(settings: RunSettings, available: int) -> int:
    """How many of the `available` devices to use: as many as were asked for, or as many as the arenas split over."""
    if settings.devices is not None:
        require(
            settings.devices <= available,
            "devices",
            settings.devices,
            f"there are {available}; take at most that many, or null for all",
        )
        check_split(settings, settings.devices)
        return settings.devices
    for count in range(available, 1, -1):
        try:
            check_split(settings, count)
        except SettingError:
            continue
        return count
    check_split(settings, 1)
    return 1


def compose(overrides: list[str], conf_dir: str | Path) -> RunSettings:
    """Settings of the defaults in `conf_dir` with `overrides` (`key=value` each) on top.

    Validated, unless `resume` is set: then the resumed run's own settings are what counts (see `resumed`).
    Raises SettingError.
    """
    written = parse_overrides(overrides)
    if "iterations" in written and "total_arena_steps" in written:
        remedy = "iterations is given too and both set the length of the run; give one of them"
        raise SettingError("total_arena_steps", written["total_arena_steps"], remedy)
    if "task.name" in written:
        name = written["task.name"]
        raise SettingError("task.name", name, f"a task is chosen as a whole; write task={name}")
    conf_dir = Path(conf_dir).resolve()
    for key in written:
        if key.partition(".")[0] == "hydra":
            raise unknown_key(key, written[key], _hints(written, conf_dir))
    _check_choices(written, conf_dir)
    _register_schemas()
    try:
        with initialize_config_dir(str(conf_dir), version_base="1.3"):
            mapping = OmegaConf.to_container(hydra_compose("config", overrides), resolve=True)
    except Exception as error:
        raise explain(error, written, _hints(written, conf_dir)) from error
    settings = _instantiate(mapping)
    if settings.resume is None:
        settings = settings.resolved()
        settings.validate()
    return settings


def parse_overrides(overrides: list[str]) -> dict[str, str]:
    """Keys and values, as text, of a command line, in its order. Raises SettingError for what is no `key=value`."""
    written = {}
    for text in overrides:
        try:
            parsed = OverridesParser.create().parse_override(text)
        except Exception as error:
            raise SettingError("command line", text, "is not key=value, such as num_arenas=512; see --help") from error
        if parsed.is_sweep_override():
            remedy = "has several values; a list is written [a,b], and one run takes one value"
            raise SettingError(parsed.key_or_group, text.partition("=")[2], remedy)
        if parsed.is_delete():
            raise SettingError(parsed.key_or_group, "", "keys cannot be taken away; set it to another value")
        written[parsed.key_or_group] = text.partition("=")[2]
    return written


def from_mapping(mapping: Any) -> RunSettings:
    """Settings of nested plain data, as `to_mapping` gives it. Unknown keys and wrong types raise SettingError."""
    task = mapping.get("task") if isinstance(mapping, dict) else None
    if not isinstance(task, dict):
        raise SettingError("task", task, "the settings hold no task")
    schema = OmegaConf.structured(schema_of(RunSettings))
    schema.task = OmegaConf.structured(schema_of(settings_of(str(task.get("name")))))
    try:
        return _instantiate(OmegaConf.to_container(OmegaConf.merge(schema, mapping)))
    except OmegaConfBaseException as error:
        written = {key: str(value) for key, value in _flat(mapping).items()}
        raise explain(error, written, hints_by_key(RunSettings, {"task": settings_of(str(task["name"]))})) from error


def to_mapping(settings: RunSettings) -> dict[str, Any]:
    """Nested plain data that YAML and JSON can hold."""
    return OmegaConf.to_container(OmegaConf.create(dataclasses.asdict(settings)))  # type: ignore[return-value]


def resumed(saved: RunSettings, wanted: RunSettings, written: Mapping[str, str]) -> RunSettings:
    """The saved run with those values of `wanted` on top that the command line, `written`, names and that may change.

    Raises SettingError for a key that may not change and differs.
    """
    changes: dict[str, Any] = {}
    for key in written:
        top, _, rest = key.partition(".")
        if top in _CHOOSING_KEYS:
            continue
        if top in RESUMABLE_KEYS:
            changes[top] = getattr(wanted, top)
        elif top == "experiment":
            raise SettingError(top, written[top], "a run that is resumed keeps its settings; leave this out")
        elif top == "logger":
            changes[top] = dataclasses.replace(changes.get(top, saved.logger), **_chosen(wanted.logger, rest))
        elif key == "task":
            require(wanted.task_name == saved.task_name, key, wanted.task_name, f"this run plays {saved.task_name}")
        else:
            now, then = _at(wanted, key), _at(saved, key)
            require(now == then, key, now, f"cannot change on resume, the run has {then}; start a new run instead")
    settings = dataclasses.replace(saved, **changes).resolved()
    settings.validate()
    return settings


def _chosen(group: Any, key: str) -> dict[str, Any]:
    return {key: getattr(group, key)} if key else vars(group)


def _at(settings: Any, key: str) -> Any:
    for name in key.split("."):
        settings = getattr(settings, name)
    return settings


def _instantiate(mapping: Any) -> RunSettings:
    task_type = settings_of(str(mapping["task"]["name"]))
    known = hints_by_key(RunSettings, {"task": task_type})
    for key, value in _flat(mapping).items():
        if key not in known:
            raise unknown_key(key, value, known)
    return instantiate(RunSettings, mapping, {"task": task_type})


def _flat(mapping: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in mapping.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _hints(written: Mapping[str, str], conf_dir: Path) -> dict[str, Any]:
    """Every key there is, of any task; where two tasks have a key of one name, that of the chosen task."""
    defaults = OmegaConf.load(conf_dir / "config.yaml").defaults
    chosen = written.get("task") or next(entry["task"] for entry in defaults if "task" in entry)
    hints = {}
    for task in sorted(list_tasks(), key=lambda task: task == chosen):
        hints |= hints_by_key(RunSettings, {"task": settings_of(task)})
    return hints


def _check_choices(written: dict[str, str], conf_dir: Path) -> None:
    """Raises SettingError for a group that is set to something other than one of its files."""
    for key, value in written.items():
        choices = sorted(path.stem for path in (conf_dir / key).glob("*.yaml"))
        if choices and value not in choices:
            raise SettingError(key, value, f"there is no such {key}; choose one of {', '.join(choices)}")


def _register_schemas() -> None:
    store = ConfigStore.instance()
    store.store(group="schema", name="run", node=schema_of(RunSettings), package="_global_")
    for task in list_tasks():
        store.store(group="schema/task", name=task, node=schema_of(settings_of(task)))


def _nearest_divisors(number: int, wanted: int, count: int = 3) -> list[int]:
    divisors = [divisor for divisor in range(1, min(number, 16 * wanted + 64) + 1) if number % divisor == 0]
    return sorted(sorted(divisors, key=lambda divisor: abs(divisor - wanted))[:count])


def _listed(values: Iterable[Any]) -> str:
    texts = [str(value) for value in values]
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
