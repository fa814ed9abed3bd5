"""Makes the pages of all settings, out of the dataclasses that hold their defaults and comments."""

import dataclasses
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from league.commands.app import COMMANDS, command
from league.config.compose import to_mapping
from league.config.fields import Field, describe, fields_of
from league.settings import RunSettings
from mjx_arena import registry

_GROUPS = ("physics", "ppo", "league", "logger", "distributed")
_NO_DEFAULT = object()


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages `settings/run.md`, `settings/games.md` and `settings/commands.md`."""
    for name, content in (("run", _run()), ("games", _games()), ("commands", _commands())):
        files.append(File.generated(config, f"settings/{name}.md", content=content))
    return files


def _run() -> str:
    fields = {field.name: field for field in dataclasses.fields(RunSettings)}
    groups = {name: fields[name].default_factory() for name in _GROUPS}  # pyright: ignore[reportCallIssue]
    own = {name: field.default for name, field in fields.items() if name not in (*_GROUPS, "task")}
    parts = [
        "# Settings of a run",
        "Of `train`, and of `benchmark`, which measures one. On the command line they are `key=value`. A group is "
        "chosen as a whole by `league=pfsp`, and in its keys by `league.delta=0.3`. Settings of the game itself, "
        "`task.*`, have [a page of their own](games.md).",
        "## The run itself",
        _table({name: field for name, field in fields_of(RunSettings).items() if name in own}, own),
    ]
    for name, settings in groups.items():
        parts += [f"## {name}", _purpose(type(settings)), _table_of(settings, f"{name}.")]
    return "\n\n".join(parts)


def _games() -> str:
    parts = [
        "# Settings of the games",
        "`task=<name>` chooses a game, `task.<key>=<value>` sets a key of it. Some groups in `conf/experiment` and "
        "`conf/task` change several.",
    ]
    for name in registry.list_tasks():
        parts += [f"## {name}", _table_of(registry.settings_type(name)(), "task.", skip=("task.name",))]
    return "\n\n".join(parts)


def _commands() -> str:
    parts = [
        "# Settings of the commands",
        "`train` has the [settings of a run](run.md). The other commands take a run's settings from its folder, and "
        "have these keys of their own; `benchmark` has those of a run beside them.",
    ]
    of_a_run = {field.name for field in dataclasses.fields(RunSettings)}
    for each in map(command, COMMANDS):
        if each.settings is RunSettings:
            continue
        own = {field.name: field.default for field in dataclasses.fields(each.settings)}
        if issubclass(each.settings, RunSettings):
            own = {name: default for name, default in own.items() if name not in of_a_run}
        known = {name: field for name, field in fields_of(each.settings).items() if name in own}
        examples = "\n".join(each.examples)
        parts += [f"## {each.name}", each.purpose, _table(known, own), f"```sh\n{examples}\n```"]
    return "\n\n".join(parts)


def _purpose(cls: type) -> str:
    return (cls.__doc__ or "").partition("\n\n")[0]


def _table_of(settings: Any, prefix: str, skip: tuple[str, ...] = ()) -> str:
    """Returns the table of an instance with its defaults; keys of groups stand below their group's."""
    fields = {key: field for key, field in fields_of(type(settings), prefix=prefix).items() if key not in skip}
    return _table(fields, _flat(to_mapping(settings), prefix))


def _flat(mapping: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Returns dotted key -> value; of groups both the group's own key and those in it."""
    values: dict[str, Any] = {}
    for key, value in mapping.items():
        values[prefix + key] = value
        if isinstance(value, dict):
            values |= _flat(value, f"{prefix}{key}.")
    return values


def _table(fields: dict[str, Field], defaults: dict[str, Any]) -> str:
    rows = ["| key | default | |", "|---|---|---|"]
    for key, field in fields.items():
        about = field.comment or describe(field.hint)
        about = about.replace("|", "\\|").replace("<", "&lt;")
        breakable = key.replace("_", "_<wbr>").replace(".", ".<wbr>")  # on a phone
        rows.append(f"| <code>{breakable}</code> | {_shown(defaults.get(key, _NO_DEFAULT))} | {about} |")
    return "\n".join(rows)


def _shown(value: Any) -> str:
    """Returns a default as YAML; nothing for a group, and for a row of a list, which has none of its own."""
    if value is _NO_DEFAULT or isinstance(value, dict) or (isinstance(value, list) and any(map(_is_row, value))):
        return ""
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    return f"`{text}`"


def _is_row(value: Any) -> bool:
    return isinstance(value, dict)
