"""The formats of exported files: their endings, and the packages that writing them takes."""

import importlib
import importlib.util
from pathlib import Path
from typing import NamedTuple

from league.exports.contents import Contents
from mjx_arena.validation import SettingError, require


class Format(NamedTuple):
    """A format."""

    ending: str  # of its files
    module: str  # which has `write(path, contents)`, and is imported only once it is needed
    packages: tuple[str, ...] = ()  # of the extra `export`
    draws: bool = True  # the file says whether actions are drawn; false: who reads it decides


FORMATS = {
    "npz": Format(".npz", "league.exports.npz_archive", draws=False),
    "onnx": Format(".onnx", "league.exports.onnx_model", ("onnx",)),
    "stablehlo": Format(".stablehlo", "league.exports.stablehlo_program", ("flatbuffers",)),
    "rlgym": Format(".npz", "league.exports.rlgym_archive"),
}


def chosen(name: str | None, out: str) -> Format:
    """Returns the format `name`, or for None the first with the ending of `out`.

    Raises SettingError for an unknown format or ending, for an ending of another format, and for a missing package.
    """
    ending, endings = Path(out).suffix, list(dict.fromkeys(each.ending for each in FORMATS.values()))
    if name is None:
        require(ending in endings, "out", out, f"must end in {', '.join(endings[:-1])} or {endings[-1]}")
        name = next(key for key, each in FORMATS.items() if each.ending == ending)
    if name not in FORMATS:
        raise SettingError("format", name, f"must be one of {', '.join(FORMATS)}, or null")
    found = FORMATS[name]
    require(ending == found.ending, "out", out, f"must end in {found.ending} with format={name}")
    missing = [package for package in found.packages if importlib.util.find_spec(package) is None]
    require(not missing, "format", name, f"needs the extra: pip install 'mjx-arena[export]' ({', '.join(missing)})")
    return found


def write(path: str | Path, form: Format, contents: Contents) -> None:
    """Writes a file. Raises PolicyFileError if it cannot, or SettingError if the policy's game has no such format."""
    importlib.import_module(form.module).write(Path(path), contents)
