"""Prints how far exported files are from the policies in them, and how large they are: `python benchmarks/exports.py`.

As Markdown, over 1,000 random observations. Policies have random weights and the network of a default run, for a game
with controls and one with choices and a mask, unless runs or exported files are named. What reads a file is the code of
docs/exports.md. Needs the extra `export`, and onnxruntime.
"""

import argparse
import importlib.metadata
import platform
import re
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

from league.evaluation.sources import Contestant, open_source
from league.exports import contents, formats
from league.exports.contents import Contents
from league.settings import RunSettings
from mjx_arena import registry
from mjx_arena.rlgym_bot import load
from ppo.policy import Policy

ROWS, KEY = 1000, jax.random.key(5)
GAMES = ("humanoid_duel", "car_soccer")
PACKAGES = ("jax", "jaxlib", "numpy", "onnx", "onnxruntime", "flatbuffers")
DOCS = Path(__file__).resolve().parents[1] / "docs" / "exports.md"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="*", help="folders of runs, or exported .npz files")
    arguments = parser.parse_args()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    print(f"Python {platform.python_version()}, {versions}. {ROWS} random observations each.\n")
    print("| game | format | actions | largest difference of actions | of values | kB |\n|---|---|---|---|---|---|")
    for held in map(trained, arguments.runs) if arguments.runs else map(untrained, GAMES):
        for line in rows(held):
            print(f"| {held.about['task']['name']} | {' | '.join(line)} |", flush=True)


def trained(run: str) -> Contents:
    """Returns the newest policy of a run or of an exported file."""
    source = open_source(run)
    return contents.of(source.newest(), source.settings, source.arena, sampled=False)


def untrained(game: str) -> Contents:
    """Returns a policy of `game` with random weights, large enough for its actions to differ, and a normaliser."""
    settings = RunSettings(task=registry.settings_type(game)()).resolved()
    arena = registry.build(settings.task, settings.physics)
    policy, rng = Policy(arena.observation_size, arena.action, settings.ppo), np.random.default_rng(0)
    shape = jax.eval_shape(policy.init, jax.random.key(0))
    scale = 0.3 if arena.observation_size < 50 else 0.1
    state = jax.tree.map(lambda x: (scale * rng.normal(size=x.shape)).astype(x.dtype), shape)
    state = state.replace(normalizer=state.normalizer.replace(variance=0.2 + np.abs(state.normalizer.variance)))
    return contents.of(Contestant(game, "learner", 0, 0, policy, state), settings, arena, sampled=False)


def rows(held: Contents) -> list[list[str]]:
    """Returns the cells of each row but the first cell."""
    inputs, noise, likely, drawn, value = played(held)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for form in ("npz", "onnx", "stablehlo"):
            for sampled, action in ((False, likely), (True, drawn)):
                path = Path(folder) / f"policy.{form}"
                formats.write(path, formats.FORMATS[form], held._replace(sampled=sampled))
                acted, valued, _ = read(form, path, inputs | ({"noise": noise} if sampled else {}))
                how = "sampled" if sampled else "most likely"
                found.append([form, how, _difference(acted, action), _difference(valued, value), _size(path)])
        if "rlgym" in held.interfaces:
            path = Path(folder) / "bot.npz"
            formats.write(path, formats.FORMATS["rlgym"], held)
            legal = inputs.get("mask", np.ones(ROWS))
            acted = load(path).act(dict(enumerate(inputs["observation"])), dict(enumerate(legal)))
            acted = np.array([acted[index] for index in range(ROWS)]).reshape(likely.shape)
            found.append(["rlgym", "most likely", _difference(acted, likely), "", _size(path)])
    return found


def played(held: Contents) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns inputs and noise, and what the policy does: likely actions, draws by the noise's own key, values."""
    policy, rng = held.policy, np.random.default_rng(2)
    statistics, size = held.state.normalizer, policy.action.size
    seen = rng.normal(size=(ROWS, policy.observation_size)) * np.sqrt(np.maximum(statistics.variance, 1e-8))
    inputs = {"observation": (seen + np.asarray(statistics.mean)).astype(np.float32)}
    if held.masked:
        inputs["mask"] = rng.random((ROWS, size)) < 0.5
        inputs["mask"][np.arange(ROWS), rng.integers(0, size, ROWS)] = True
    draw = jax.random.normal if held.about["noise"] == "normal" else jax.random.gumbel

    @jax.jit
    def play(observation: jax.Array, mask: jax.Array | None = None) -> tuple[jax.Array, ...]:
        distribution, value = policy.apply(held.state, observation, mask)
        return draw(KEY, (ROWS, size)), distribution.mode(), distribution.sample(KEY), value

    noise, likely, drawn, value = map(np.asarray, play(**inputs))
    return inputs, noise, likely, drawn, value


def read(form: str, path: Path, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Returns the actions, the values and the description that the code of docs/exports.md finds in a file."""
    title = {"npz": "NumPy", "onnx": "ONNX", "stablehlo": "StableHLO"}[form]
    [code] = re.findall(rf"^## {title}\n.*?^```python\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.M | re.S)
    names: dict[str, Any] = {"inputs": inputs}
    exec(code.replace(f"policy.{form}", str(path)), names)
    found = names["found"] if form == "stablehlo" else {name: names[name] for name in ("action", "value")}
    return np.asarray(found["action"]), np.asarray(found["value"]), names["about"]


def _difference(found: np.ndarray, expected: np.ndarray) -> str:
    if found.dtype.kind == "i":
        return f"{(found != expected).sum()} choices"
    return f"{np.abs(found - expected).max():.1e}"


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1000:.0f}"


if __name__ == "__main__":
    main()
