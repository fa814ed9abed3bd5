"""Keys that have been renamed. Saved runs and command lines may still use the old names."""

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
