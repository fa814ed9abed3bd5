"""Builds HTML for the page of a report; all texts are escaped here, and what is called `parts` is HTML already."""

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template
from typing import Any

_PAGE = Path(__file__).with_name("report.html")


def page(title: str, subtitle: str, sections: Iterable[str]) -> str:
    """Returns the whole page: texts, and the HTML of its sections."""
    template = Template(_PAGE.read_text(encoding="utf-8"))
    return template.substitute(title=html.escape(title), subtitle=html.escape(subtitle), sections="\n".join(sections))


def section(title: str, *parts: str) -> str:
    """Returns a section with its heading."""
    return "\n".join(["<section>", f"<h2>{html.escape(title)}</h2>", *parts, "</section>"])


def folded(summary: str, *parts: str) -> str:
    """Returns parts that are hidden until `summary` is opened."""
    return "\n".join(["<details>", f"<summary>{html.escape(summary)}</summary>", *parts, "</details>"])


def group(kind: str, parts: Iterable[str]) -> str:
    """Returns parts side by side, as the class `kind` of the style sheet lays them out."""
    return "\n".join([f'<div class="{kind}">', *parts, "</div>"])


def paragraph(text: str) -> str:
    """Returns a paragraph in a faint colour."""
    return f'<p class="note">{html.escape(text)}</p>'


def block(text: str) -> str:
    """Returns text as it is, in the type of programs."""
    return f"<pre>{html.escape(text)}</pre>"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], numbers: bool = True) -> str:
    """Returns a table whose first column names the rows; `numbers` are set to the right. Without a head: `head=()`."""
    lines = [f'<div class="wide" tabindex="0"><table class="{"numbers" if numbers else "text"}">']
    if head:
        lines += ["<thead><tr>", *(f'<th scope="col">{html.escape(each)}</th>' for each in head), "</tr></thead>"]
    lines.append("<tbody>")
    for first, *others in rows:
        cells = "".join(f"<td>{html.escape(str(other))}</td>" for other in others)
        lines.append(f'<tr><th scope="row">{html.escape(str(first))}</th>{cells}</tr>')
    return "\n".join([*lines, "</tbody></table></div>"])


def chart(svg: str, text: str) -> str:
    """Returns a figure of an inline SVG under its title."""
    title = html.escape(text)
    named = svg.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
    return f"<figure><figcaption>{title}</figcaption>\n{named}</figure>"


def picture(png: bytes, text: str) -> str:
    """Returns a figure of a picture, embedded."""
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return (
        f'<figure><img alt="{html.escape(text)}" src="{source}">\n<figcaption>{html.escape(text)}</figcaption></figure>'
    )


def film(mp4: bytes, text: str) -> str:
    """Returns a figure of a film, embedded."""
    source = f"data:video/mp4;base64,{base64.b64encode(mp4).decode()}"
    return (
        f'<figure><video controls preload="auto" loop muted playsinline src="{source}"></video>\n'
        f"<figcaption>{html.escape(text)}</figcaption></figure>"
    )
