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
from mjx_arena.page.furniture import furniture
from mjx_arena.page.poses import frames_per_step, moving, pack, poses
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
    control_dt = films[0].control_dt
    per_step = frames_per_step(control_dt)
    episodes = [poses(model, view, film.qpos, control_dt, per_step) for film in films]
    shots = np.concatenate([episode.shots for episode in episodes])
    bodies, describer = moving(episodes), Describer(model, blob)
    start, longest = episodes[0], max(films, key=len)
    return {
        "control_dt": control_dt,
        "frames_per_step": per_step,
        "camera": {
            "distance": float(np.median(shots[:, 3])),
            "azimuth": float(shots[0, 4]),
            "fovy": float(model.vis.global_.fovy),
            "still": not np.ptp(shots, 0).any(),
        },
        "sky": describer.sky(),
        "rest": np.concatenate([start.position[0], start.quaternion[0]], -1).round(6).tolist(),
        "moving": bodies.tolist(),
        "shapes": describer.shapes(films[0].qpos[0]),
        "changes": describer.changes(furniture(model, view, control_dt * np.arange(len(longest) + 1))),
        "meshes": describer.meshes,
        "textures": describer.textures,
        "episodes": [
            {"steps": len(film), "shots": blob.add(episode.shots)}
            | {key: blob.add(array) for key, array in pack(episode, bodies)._asdict().items()}
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
    """Returns the players, and by episode points, what was paid, what was measured, and which keys were held.

    Points add up over the episodes. Leaves out what is 0 in all `films`.
    """
    agents, points = films[0].reward.shape[1], _points(films, view)
    roots, measured = players(model, agents), [name for name in films[0].metrics if not name.startswith("key/")]
    painted = [colour(model, root, shapes) for root in roots] or [None] * agents
    measured = [name for name in measured if any(film.metrics[name].any() for film in films)]
    return {
        "players": [
            {
                "seat": view.seats[seat] if seat < len(view.seats) else f"seat {seat}",
                "name": names[seat] if seat < len(names) else "",
                "body": roots[seat] if roots else None,
                "colour": view.colours[seat] if seat < len(view.colours) else painted[seat],
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
            | ({"points": blob.add(points[index])} if points else {})
            for index, film in enumerate(films)
        ],
    }


def _points(films: Sequence[Film], view: View) -> list[np.ndarray]:
    """Returns the points `[T + 1, A]` uint16 of each film, those of the films before it included; none without any."""
    if view.points is None:
        return []
    agents, before, found = films[0].reward.shape[1], 0, []
    for film in films:
        own = before + np.array([view.points(pose)[:agents] for pose in film.qpos])
        found.append(own.astype(np.uint16))
        before = own[-1]
    return found


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
