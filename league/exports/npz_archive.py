"""Policies as this program's own files, archives of NumPy's, from which it exports to the other formats too."""

from pathlib import Path

from league.evaluation import policy_file
from league.exports.contents import Contents


def write(path: Path, contents: Contents) -> None:
    """Writes the archive. Raises PolicyFileError if it cannot."""
    policy_file.save(path, contents.policy, contents.state, contents.about)
