"""Policies as bots for RLGym: this program's own files, which also say how the game is observed and played there."""

from pathlib import Path

from league.evaluation import policy_file
from league.exports.contents import Contents
from mjx_arena.validation import SettingError

NAME = "rlgym"


def write(path: Path, contents: Contents) -> None:
    """Writes a file for `mjx_arena.rlgym_bot.load`. Raises SettingError for a game that is not RLGym's."""
    if NAME not in contents.interfaces:
        played = contents.about["task"]["name"]
        raise SettingError("format", NAME, f"is for car_soccer, which RLGym plays too; this is a policy of {played}")
    own = {NAME: contents.interfaces[NAME] | {"sampled": contents.sampled}}
    policy_file.save(path, contents.policy, contents.state, contents.about | own)
