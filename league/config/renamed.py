"""What has changed in the settings of saved runs: names of keys, and keys that are new and were as if set otherwise."""

from collections.abc import Mapping
from typing import Any

# Old name -> present name. The first four old names are those of TimeChamber.
RENAMED = {
    "league.max_update_steps": "league.snapshot_interval",
    "league.update_win_rate": "league.snapshot_win_rate",
    "league.games_to_check": "league.snapshot_min_games",
    "league.op_checkpoint": "league.initial_opponents",
    "league.passive": "league.idle",
    "stagger": "randomize_initial_episode_length",
}

# What runs did before these keys were there: a run goes on as it began.
BEFORE = {"ppo": {"optimizer": "adam", "bound_coefficient": 0.0, "symmetry": False}}


def completed(config: Any) -> Any:
    """Returns a saved run's settings, plain data, with the keys that it was saved without."""
    if not isinstance(config, Mapping):
        return config
    added = {name: {**keys, **config[name]} for name, keys in BEFORE.items() if isinstance(config.get(name), Mapping)}
    return {**config, **added}


def current_text(override: str) -> str:
    """Returns a `key=value` text with the present name of its key."""
    key, equals, value = override.partition("=")
    return RENAMED.get(key, key) + equals + value


def current(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested plain data with the present names of its keys."""
    renamed = {key: dict(value) if isinstance(value, Mapping) else value for key, value in mapping.items()}
    for old, new in RENAMED.items():
        group, _, name = old.rpartition(".")
        where = renamed.get(group) if group else renamed
        if isinstance(where, dict) and name in where:
            where[new.rpartition(".")[2]] = where.pop(name)
    return renamed
