"""Brings pages from outside `docs/` into the site: the README as the home page, results, and files that pages link to.

Pages link to each other as they lie in the repository, so that links work there too. Here each file gets a place in the
site, and links are turned to it. Nothing is copied into `docs/`.
"""

import json
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
_DOCS = "docs/"
_TOP = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_NOT_AT_HOME = ("Policies in other programs", "Reading on")  # sections of the README that the site has elsewhere
_SHOWN = {".py": "python", ".sh": "sh", ".yaml": "yaml"}  # files that get a page with their text
_LINK = re.compile(r"(?<=\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")
_paths: dict[str, Path] = {}  # place in the site -> file of the repository
_FROM_ELSEWHERE = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the home page, the pages at the top and in `results/`, and every file that one of them links to."""
    waiting = [*(ROOT / name for name in _TOP), *(ROOT / "results").rglob("*.md"), *(ROOT / "docs").glob("*.md")]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        text = _text(path)
        uri = _uri(path)
        _paths[uri] = path
        if files.get_file_from_path(uri) is None:
            content = {"abs_src_path": str(path)} if text is None else {"content": text}
            files.append(File.generated(config, uri, **content))
        for link in _LINK.finditer(text or ""):
            target = _target(path, link[1])
            if target is not None and target not in seen:
                seen.add(target)
                waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links to files of the repository to their places in the site."""
    uri = page.file.src_uri
    if uri not in _paths:
        return markdown  # made by another hook

    def turned(link: re.Match[str]) -> str:
        target = _target(_paths[uri], link[1])
        if target is None:
            return link[0]
        return posixpath.relpath(_uri(target), posixpath.dirname(uri)) + (link[2] or "")

    return _LINK.sub(turned, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuses a page that would fetch anything from another server: readers are nobody else's business."""
    found = _FROM_ELSEWHERE.search(output)
    if found:
        raise PluginError(f"{page.file.src_uri} loads from elsewhere: {found[0]}")
    return output


def _target(path: Path, link: str) -> Path | None:
    """Returns the file that a link in the file at `path` means, of a folder its page; None for what is no file."""
    target = Path(posixpath.normpath(path.parent / link))
    target = target / "README.md" if target.is_dir() else target
    return target if target.is_file() and target.is_relative_to(ROOT) else None


def _uri(path: Path) -> str:
    """Returns the place in the site of a file of the repository."""
    uri = path.relative_to(ROOT).as_posix().removeprefix(_DOCS)
    return _TOP.get(uri) or (f"{uri}.md" if path.suffix in (*_SHOWN, ".ipynb") else uri)


def _text(path: Path) -> str | None:
    """Returns the text of a file's page in Markdown; None for a file that is only copied."""
    if path.suffix not in (*_SHOWN, ".md", ".ipynb"):
        return None
    text = path.read_text(encoding="utf-8")
    if path == ROOT / "README.md":
        parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
        return "".join(part for part in parts if part[3:].partition("\n")[0] not in _NOT_AT_HOME)
    if path.suffix == ".ipynb":
        cells = [("".join(cell["source"]), cell["cell_type"]) for cell in json.loads(text)["cells"]]
        return "\n\n".join(_fenced(each, "python") if kind == "code" else each for each, kind in cells)
    if path.suffix in _SHOWN:
        return f"# {path.relative_to(ROOT).as_posix()}\n\n{_fenced(text, _SHOWN[path.suffix])}"
    return text


def _fenced(text: str, language: str) -> str:
    return f"````{language}\n{text.rstrip()}\n````\n"
