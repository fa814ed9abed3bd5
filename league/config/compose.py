"""Builds settings from `key=value` texts and the defaults in dataclasses and `conf/`, or one message: what to change.

Nothing here starts a JAX backend: a run that cannot work ends before anything compiles.
"""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from league.config.fields import Field, describe, fields_of, instance_of, is_text, unknown_key
from league.config.overrides import Override, parse_overrides, without_quotes
from league.config.renamed import current
from league.matchmaking import MATCHMAKERS
from league.settings import LeagueSettings, LoggerSettings, RunSettings
from league.split import check_split
from mjx_arena import registry
from mjx_arena.arena import TaskSettings
from mjx_arena.physics import PhysicsSettings, engines
from mjx_arena.validation import SettingError
from ppo.settings import PPOSettings

_Run = TypeVar("_Run", bound=RunSettings)
_HERE = Path(__file__).resolve().parent.parent
CONF = next(path for path in (_HERE / "conf", _HERE.parent / "conf") if path.is_dir())  # in a wheel, or in a checkout


def conf_of(cls: type) -> Path:
    """Returns the folder of the groups of a command's settings; only a run has any, so others may have a key `task`."""
    return CONF if issubclass(cls, RunSettings) else CONF / "plain"


def register(name: str, cls: type) -> None:
    """Registers with Hydra the defaults of a command's primary config `name`, whose settings are the dataclass `cls`.

    For a run these are the node `defaults/<name>`, which the YAML in `conf/` includes, and the groups.
    """
    store = ConfigStore.instance()
    if cls is not RunSettings and issubclass(cls, RunSettings):
        register("train", RunSettings)
    if not issubclass(cls, RunSettings):
        store.store(name=name, node={"defaults": ["quiet", "_self_"], **to_mapping(cls())})
        return
    run = to_mapping(cls(task=TaskSettings()))
    groups = ("task", "physics", "ppo", "league", "logger")
    own = {key: value for key, value in run.items() if key not in groups}
    store.store(group="defaults", name=name, node=own, package="_global_")
    for group, settings in (("ppo", PPOSettings), ("league", LeagueSettings), ("logger", LoggerSettings)):
        store.store(group=group, name="default", node=to_mapping(settings()))
    for matchmaker in MATCHMAKERS:
        inherited = {"defaults": ["default", "_self_"]}
        store.store(group="league", name=matchmaker, node={**inherited, "matchmaker": matchmaker})
    for engine in engines():
        store.store(group="physics", name=engine, node=to_mapping(PhysicsSettings(engine=engine)))
    for task in registry.list_tasks():
        defaults = to_mapping(registry.settings_type(task)())
        store.store(group="defaults/task", name=task, node=defaults)
        if not (CONF / "task" / f"{task}.yaml").is_file():  # which replaces the node
            store.store(group="task", name=task, node=OmegaConf.merge(defaults, beside_game(task).get("task", {})))


def beside_game(task: str) -> dict[str, Any]:
    """Returns the YAML beside a game's file: `task`, changes of its settings, and `evaluation`, its pairings; or {}.

    Raises SettingError for one that cannot be read.
    """
    path = registry.source_file(task).with_suffix(".yaml")
    try:
        found = OmegaConf.to_container(OmegaConf.load(path)) if path.is_file() else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise SettingError("task", task, f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(found, dict) or not set(found) <= {"task", "evaluation"}:
        raise SettingError("task", task, f"{path} may hold the groups task and evaluation, and nothing else")
    return found  # type: ignore[return-value]


def with_game_file(overrides: list[str], cls: type) -> list[str]:
    """Returns the overrides with an absolute `game_file`, and with `task` set to the game that it holds; if it is set.

    Raises SettingError for a file that holds no game.
    """
    for index, override in enumerate(overrides):
        key, _, text = override.partition("=")
        if key == "game_file" and text != "null":
            path = without_quotes(text)
            name = registry.register_file(path)
            others = [*overrides[:index], *overrides[index + 1 :], f"game_file={Path(path).expanduser().resolve()}"]
            named = any(each.startswith("task=") for each in others) or not issubclass(cls, RunSettings)
            return others if named else [*others, f"task={name}"]
    return overrides


def compose(
    overrides: list[str],
    cls: type = RunSettings,
    name: str = "train",
    conf_dir: str | Path | None = None,
    extra_dir: str | Path | None = None,
) -> Any:
    """Returns settings of the dataclass `cls`: the primary config `name` with `overrides` (`key=value`) on top.

    Group choices come from `conf_dir` (None: the project's `conf/`) and `extra_dir`. Settings of a run are checked,
    unless `resume` is set: then those of the resumed run count. Raises SettingError for what is wrong in `overrides`.
    """
    overrides = with_game_file(overrides, cls)
    register(name, cls)
    written = {each.key: each for each in parse_overrides(overrides, known_fields(cls))}
    _refuse_contradictions(written)
    folder = Path(conf_dir or conf_of(cls)).resolve()
    choices: Mapping[str, Any] = {}
    try:
        with initialize_config_dir(str(folder), version_base="1.3"):
            _check_choices(written, extra_dir)
            search = [f"hydra.searchpath=['file://{Path(extra_dir).resolve()}']"] if extra_dir else []
            texts = [*(each.quoted for each in written.values()), *search]
            composed = hydra_compose(name, texts, return_hydra_config=True)
            choices = composed.hydra.runtime.choices
            del composed._content["hydra"]  # type: ignore[union-attr]
            mapping = OmegaConf.to_container(composed, resolve=True)
        settings = from_mapping(mapping, cls)
    except (HydraException, OmegaConfBaseException) as error:
        raise _explained(error, written, known_fields(cls)) from error
    except SettingError as error:
        raise SettingError(error.key, _source(error, written, choices), error.remedy) from error
    is_new_run = isinstance(settings, RunSettings) and settings.resume is None
    return checked(settings) if is_new_run else settings


def from_mapping(mapping: Any, cls: type = RunSettings) -> Any:
    """Builds settings from nested plain data, as `to_mapping` returns it. Raises SettingError for keys and types."""
    if not issubclass(cls, RunSettings):
        return instance_of(cls, mapping)
    task = mapping.get("task") if isinstance(mapping, Mapping) else None
    if not isinstance(task, Mapping):
        raise SettingError("task", task, "the settings hold no task")
    mapping = current(mapping)
    if mapping.get("game_file"):
        registry.register_file(mapping["game_file"])
    return instance_of(cls, mapping, open_fields={"task": registry.settings_type(str(task.get("name")))})


def to_mapping(settings: Any) -> dict[str, Any]:
    """Returns settings as nested plain data that YAML and JSON can hold."""
    return OmegaConf.to_container(OmegaConf.create(dataclasses.asdict(settings)))  # type: ignore[return-value]


def checked(settings: _Run) -> _Run:
    """Returns a run's settings after `resolved`. Raises SettingError for values that are wrong, alone or together."""
    settings = settings.resolved()
    settings.validate()
    check_split(settings, settings.devices or 1)
    return settings


def known_fields(cls: type) -> dict[str, Field]:
    """Returns all keys of `cls`, for a run with those of every task.

    A key that is text in one task and not in another is none, so that a number of the other is not taken for text.
    """
    if not issubclass(cls, RunSettings):
        return fields_of(cls)
    known: dict[str, Field] = {}
    for name in registry.list_tasks():
        for key, field in _fields_with(cls, registry.settings_type(name)).items():
            if key not in known or is_text(known[key].hint):
                known[key] = field
    return known


@functools.cache
def _fields_with(cls: type, task: type) -> Mapping[str, Field]:
    """Returns the keys of a run's settings with those of one type of task."""
    return fields_of(cls, {"task": task})


def _refuse_contradictions(written: Mapping[str, Override]) -> None:
    """Raises SettingError for two keys of one meaning, and for `task.name`, which `task` sets."""
    if "iterations" in written and "total_arena_steps" in written:
        remedy = "iterations is given too and both set the length of the run; give one of them"
        raise SettingError("total_arena_steps", written["total_arena_steps"].text, remedy)
    if "ppo.num_minibatches" in written and "ppo.minibatch_size" in written:
        remedy = "ppo.num_minibatches is given too and both split the samples; give one of them"
        raise SettingError("ppo.minibatch_size", written["ppo.minibatch_size"].text, remedy)
    if "task.name" in written:
        name = written["task.name"].text
        raise SettingError("task.name", name, f"a task is chosen as a whole; write task={name}")


def _check_choices(written: Mapping[str, Override], extra_dir: str | Path | None) -> None:
    """Raises SettingError for a group that is set to something other than one of its choices."""
    loader = GlobalHydra.instance().config_loader()
    for key, override in written.items():
        if "." in key:
            continue  # no group; and looking for one takes long
        own = sorted(path.stem for path in (Path(extra_dir) / key).glob("*.yaml")) if extra_dir else []
        choices = loader.get_group_options(key) + own
        if choices and override.text not in choices:
            raise SettingError(key, override.text, f"there is no such {key}; choose one of {', '.join(choices)}")


def _explained(error: Exception, written: Mapping[str, Override], known: Mapping[str, Field]) -> SettingError:
    """Translates an error of Hydra or OmegaConf into one that names the key and what to change."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = str(getattr(cause, "full_key", None) or "")
    named = next((each for each in written if key == each or (each and f"'{each}'" in str(error))), key)
    text = written[named].text if named in written else "?"
    if named in known:
        return SettingError(named, text, f"must be {describe(known[named].hint)}")
    if named in written:
        return unknown_key(named, text, known)
    return SettingError("configuration", " ".join(each.quoted for each in written.values()), str(error).splitlines()[0])


def _source(error: SettingError, written: Mapping[str, Override], choices: Mapping[str, Any]) -> Any:
    """Returns the wrong value as it was typed, or else the file of the group's choice that it comes from."""
    if error.key in written:
        return written[error.key].text
    group = error.key.partition(".")[0]
    chosen = choices.get(group)
    beside = registry.source_file(chosen).with_suffix(".yaml") if group == "task" and chosen else Path()
    if beside.is_file():
        return f"(in {beside})"
    return f"(in conf/{group}/{chosen}.yaml)" if chosen else error.value
