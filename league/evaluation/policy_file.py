"""Stores a policy in one small file: parameters, normaliser, architecture, and task. Loading runs no code from it.

The file is a NumPy archive (`.npz`, without pickled objects) of the arrays by their paths, and a description as JSON.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.drafts import draft_of
from mjx_arena.types import Box, Discrete
from ppo.policy import Policy, PolicyState
from ppo.settings import PPOSettings

SUFFIX = ".npz"
ABOUT = "about"  # name of the description
_FORMAT = "mjx-arena policy 1"
_NETWORK = ("actor_hidden", "critic_hidden", "activation", "min_log_std", "max_log_std")
_ACTIONS = {"box": Box, "discrete": Discrete}


class PolicyFileError(RuntimeError):
    """A policy file that cannot be read, used or written. `str()` is one message for people."""


def save(path: str | Path, policy: Policy, state: PolicyState, about: dict[str, Any]) -> None:
    """Writes a policy in one step, with `about`, plain data for JSON such as the task. Raises PolicyFileError."""
    arrays: dict[str, Any] = {_path(keys): np.asarray(x) for keys, x in jax.tree_util.tree_leaves_with_path(state)}
    arrays[ABOUT] = np.array(json.dumps(describe(policy, about)))
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write(path, content.getvalue())


def describe(policy: Policy, about: dict[str, Any]) -> dict[str, Any]:
    """Returns the description of a policy, as plain data for JSON: its sizes and its network, and what `about` says."""
    kind = "box" if isinstance(policy.action, Box) else "discrete"
    return {
        "format": _FORMAT,
        "observation_size": policy.observation_size,
        "action": {"kind": kind, "size": policy.action.size},
        "network": {name: getattr(policy.settings, name) for name in _NETWORK},
        **about,
    }


def write(path: str | Path, content: bytes) -> None:
    """Writes the file of a policy as a whole or not at all. Raises PolicyFileError."""
    try:
        with draft_of(Path(path)) as draft:
            draft.write_bytes(content)
    except OSError as error:
        raise PolicyFileError(f"cannot write {path}: {error.strerror or error}") from error


def load(path: str | Path) -> tuple[Policy, PolicyState, dict[str, Any]]:
    """Reads a file; returns the policy, its state and its description. Raises PolicyFileError for a bad file."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged, or no archive of NumPy's"
        raise PolicyFileError(f"{path} cannot be read as a policy: {reason}") from error
    about = _description(path, arrays.pop(ABOUT, None))
    try:
        network: dict[str, Any] = {name: about["network"][name] for name in _NETWORK}
        for name in ("actor_hidden", "critic_hidden"):
            network[name] = tuple(map(int, network[name]))
        settings = PPOSettings(**network)
        settings.validate()
        policy = Policy(
            int(about["observation_size"]), _ACTIONS[about["action"]["kind"]](int(about["action"]["size"])), settings
        )
        shape = jax.eval_shape(policy.init, jax.random.key(0))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PolicyFileError(f"{path} describes no policy that can be built: {error}") from error
    wanted = {_path(keys): leaf for keys, leaf in jax.tree_util.tree_leaves_with_path(shape)}
    for name in wanted.keys() | arrays.keys():
        here = name in arrays and (arrays[name].shape, arrays[name].dtype)
        if name not in wanted or here != (wanted[name].shape, wanted[name].dtype):
            raise PolicyFileError(f"{path} does not hold the policy that it describes: {name} does not fit")
        if not np.isfinite(arrays[name]).all():
            raise PolicyFileError(f"{path} holds numbers that are not finite, in {name}")
    state = jax.tree.unflatten(jax.tree.structure(shape), [jnp.asarray(arrays[name]) for name in wanted])
    return policy, state, about


def player(path: str | Path, sampled: bool = True) -> Callable[[jax.Array, jax.Array | None, jax.Array], jax.Array]:
    """Returns a file's policy as a function of observations `[..., O]`, legal choices `[..., n]` or None, and a key.

    The function returns actions, the most likely ones unless `sampled`. Environments of `mjx_arena.gym` take it as
    `opponent`. It and `player` raise PolicyFileError: for observations of another size, or for a bad file.
    """
    policy, state, about = load(path)

    def act(observation: jax.Array, mask: jax.Array | None, key: jax.Array) -> jax.Array:
        if observation.shape[-1] != policy.observation_size:
            task = about.get("task", {}).get("name", "another task")
            raise PolicyFileError(
                f"{path} plays {task}, with {policy.observation_size} observations; here are {observation.shape[-1]}"
            )
        distribution = policy.distribution(state, observation, mask)
        return distribution.sample(key) if sampled else distribution.mode()

    return act


def is_policy_file(path: str | Path) -> bool:
    """Returns whether a path has the ending of a policy file."""
    return Path(path).suffix == SUFFIX


def architecture(policy: Policy) -> dict[str, Any]:
    """Returns what two policies must have in common to be stacked: sizes, layers, activation, bounds."""
    network = {name: getattr(policy.settings, name) for name in _NETWORK}
    return network | {"observation_size": policy.observation_size, "action": policy.action}


def _description(path: str | Path, entry: np.ndarray | None) -> dict[str, Any]:
    try:
        about = json.loads(str(entry)) if entry is not None and entry.dtype.kind == "U" else None
    except json.JSONDecodeError:
        about = None
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise PolicyFileError(f"{path} is no policy of this program: it does not say {_FORMAT!r}")
    return about


def _path(keys: Any) -> str:
    return jax.tree_util.keystr(keys, simple=True, separator=".")
