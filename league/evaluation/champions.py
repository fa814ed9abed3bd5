"""The policies that come with the package: `champion:<name>`, and its weaker selves of the same run.

`mjx_arena/champions/` holds their files, as the command export writes them, and `champions.json`, which says where each
comes from and how strong it was measured to be.
"""

import functools
import json
from pathlib import Path
from typing import Any

import mjx_arena
from mjx_arena.validation import SettingError, require

PREFIX = "champion:"
FOLDER = Path(mjx_arena.__file__).parent / "champions"
SELVES = {"": 1.0, "third": 1 / 3, "tenth": 0.1}  # share of the run after which each was saved


@functools.cache
def descriptions() -> dict[str, Any]:
    """Returns name -> what `champions.json` says of a champion; its first entry of a task is that task's."""
    path = FOLDER / "champions.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def names(task: str) -> list[str]:
    """Returns the champions of a task as `open_source` takes them, weaker selves included, the strongest first."""
    own = [name for name, about in descriptions().items() if about["task"]["name"] == task]
    return [
        f"{PREFIX}{name}{'/' if self else ''}{self}" for name in own for self in SELVES if _file(name, self).is_file()
    ]


def path_of(source: str) -> Path:
    """Returns the file of `champion:<name>` or `champion:<name>/<self>`. Raises SettingError for unknown ones."""
    name, _, self = source.removeprefix(PREFIX).partition("/")
    known = descriptions()
    require(name in known, "run", source, f"there is no such champion; choose from {', '.join(known)}")
    path = _file(name, self)
    if self not in SELVES or not path.is_file():
        raise SettingError(
            "run", source, f"weaker selves are {', '.join(f'{PREFIX}{name}/{each}' for each in SELVES if each)}"
        )
    return path


def _file(name: str, self: str) -> Path:
    return FOLDER / f"{name}{'_' if self else ''}{self}.npz"
