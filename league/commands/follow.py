"""Joins a run as one of its further processes on this machine: started by the command train, not by people."""

import json
import os
import sys
from pathlib import Path

from league.commands import train
from league.run import processes
from league.run.team import Place, abandon

_INTERRUPTED = 130


def main(text: str) -> None:
    """Trains with the place, cores and settings of JAX in a JSON `text`; ends with the first process."""
    given = json.loads(text)
    place = Place(*given["place"])
    known: list[Path] = []

    def message() -> str:
        words = train.last_words(known[0]) if known else ""
        return f"process 0 of {place.count} (pid {given['first']}) has died{words}"

    processes.hide_native_errors()
    processes.take_cores(given["cores"])
    processes.end_with_first(sys.stdin.fileno(), message if place.index == 1 else None)
    try:
        train.follow(place, *given["how"], told_folder=known.append)
    except KeyboardInterrupt:
        os._exit(_INTERRUPTED)  # without a traceback: the first process ends the run
    except BaseException:
        abandon(1)
        raise


if __name__ == "__main__":
    main(sys.argv[1])
