"""Writes films as a page: the files of `web/`, the model's shapes and the packed poses, in one HTML file."""

import base64
import html
import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from mjx_arena.drafts import draft_of
from mjx_arena.page.blob import Blob
from mjx_arena.page.poses import Poses, frames_per_step, moving, pack, poses
from mjx_arena.page.scene import Describer, colour, players
from mjx_arena.trajectory import Film
from mjx_arena.types import View

_WEB = Path(__file__).parent / "web"


def write_page(
    path: Path,
    model: mujoco.MjModel,
    films: Sequence[Film],
    view: View,
    title: str,
    names: Sequence[str] = (),
    captions: bool = True,
) -> None:
    """Writes `films`, at least one, of `model` as an HTML file that needs nothing else, not even a network.

    `names` are those of the players, by seat. Without `captions` the page shows no players, rewards and keys. Raises
    OSError.
    """
    blob = Blob()
    recording: dict[str, Any] = {"title": title} | _recording(model, films, view, blob)
    if captions:
        recording |= _captions(model, films, view, names, recording["shapes"], blob)
    page = _filled((_WEB / "page.html").read_text(encoding="utf-8"), title, recording, bytes(blob.data))
    with draft_of(path) as draft:
        draft.write_text(page, encoding="utf-8")


def _recording(model: mujoco.MjModel, films: Sequence[Film], view: View, blob: Blob) -> dict[str, Any]:
    """Returns the shapes, the camera and the poses of `films`; arrays go into `blob`."""
    per_step = frames_per_step(films[0].control_dt)
    episodes = [poses(model, film.qpos, per_step) for film in films]
    bodies, describer = moving(episodes), Describer(model, blob)
    roots = [int(root) for root in np.flatnonzero(model.body_parentid == 0)[1:]]
    roots = [root for root in roots if root in bodies] or roots
    start: Poses = episodes[0]
    return {
        "control_dt": films[0].control_dt,
        "frames_per_step": per_step,
        "camera": {
            "distance": view.distance,
            "lookat": view.lookat,
            "follow": roots if view.follow is None else [model.body(view.follow).id],
            "azimuth": view.azimuth,
            "elevation": view.elevation,
            "fovy": float(model.vis.global_.fovy),
        },
        "rest": np.concatenate([start.position[0], start.quaternion[0]], -1).round(6).tolist(),
        "moving": bodies.tolist(),
        "shapes": describer.shapes(films[0].qpos[0]),
        "meshes": describer.meshes,
        "textures": describer.textures,
        "episodes": [
            {"steps": len(film)} | {key: blob.add(array) for key, array in pack(episode, bodies)._asdict().items()}
            for film, episode in zip(films, episodes, strict=True)
        ],
    }


def _captions(
    model: mujoco.MjModel,
    films: Sequence[Film],
    view: View,
    names: Sequence[str],
    shapes: list[dict[str, Any]],
    blob: Blob,
) -> dict[str, Any]:
    """Returns the players, and by episode what they were paid, what the game measured, and which keys were held.

    Leaves out what is 0 in all `films`.
    """
    agents = films[0].reward.shape[1]
    roots, measured = players(model, agents), [name for name in films[0].metrics if not name.startswith("key/")]
    measured = [name for name in measured if any(film.metrics[name].any() for film in films)]
    return {
        "players": [
            {
                "seat": view.seats[seat] if seat < len(view.seats) else f"seat {seat}",
                "name": names[seat] if seat < len(names) else "",
                "body": roots[seat] if roots else None,
                "colour": colour(model, roots[seat], shapes) if roots else None,
            }
            for seat in range(agents)
        ],
        "keys": view.keys,
        "terms": [name for name in measured if name.startswith("reward/")],
        "measures": [name for name in measured if not name.startswith("reward/")],
        "captions": [
            {
                "reward": blob.add(film.reward.astype(np.float32)),
                "metrics": {name: blob.add(film.metrics[name].astype(np.float32)) for name in measured},
                "held": [blob.add((film.metrics[f"key/{key}"] > 0).astype(np.uint8)) for key in view.keys],
            }
            for film in films
        ],
    }


def _filled(page: str, title: str, recording: dict[str, Any], data: bytes) -> str:
    """Returns `page` with its style sheet, its scripts and the recording inside."""

    def inside(tag: str):
        return lambda found: f"<{tag}>\n{(_WEB / found[1]).read_text(encoding='utf-8')}</{tag}>"

    text = json.dumps(recording, separators=(",", ":")).replace("<", "\\u003c")  # nothing in it may end the script
    packed = base64.b64encode(zlib.compress(data, 9)).decode()
    page = page.replace("<title></title>", f"<title>{html.escape(title)}</title>")
    page = re.sub(r'(<script id="recording"[^>]*>)', lambda found: found[1] + text, page)
    page = re.sub(r'(<script id="arrays"[^>]*>)', lambda found: found[1] + packed, page)
    page = re.sub(r'<link rel="stylesheet" href="([^"]+)">', inside("style"), page)
    return re.sub(r'<script src="([^"]+)"></script>', inside("script"), page)
