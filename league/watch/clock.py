"""Keeps a match in step with real time."""

from collections import deque

_BEHIND = 0.25  # s of play that may wait to be made up for; what is beyond is left out
_RECENT = 60  # calls over which the rate is taken


class Clock:
    """Says how many control steps are due. `late` counts those that were left out."""

    def __init__(self, speed: float):
        self.speed, self.paused, self.late = speed, False, 0
        self._owed, self._last = 0.0, None
        self._recent: deque[tuple[float, int]] = deque(maxlen=_RECENT)

    def due(self, now: float, control_dt: float, running: bool) -> int:
        """Returns the control steps of `control_dt` s that are due at `now` s; none while nothing is running."""
        passed = 0.0 if self._last is None else now - self._last
        self._last = now
        if self.paused or not running:
            self._owed = 0.0
            self._recent.clear()
            return 0
        self._owed += passed * self.speed
        most = max(_BEHIND * self.speed, control_dt)
        if self._owed > most:
            self.late += int((self._owed - most) / control_dt)
            self._owed = most
        steps = int(self._owed / control_dt)
        self._owed -= steps * control_dt
        self._recent.append((now, steps))
        return steps

    def part(self, now: float, control_dt: float) -> float:
        """Returns how far, in [0, 1], the time at `now` has come from the newest control step to the next."""
        del now
        return min(self._owed / control_dt, 1.0)

    @property
    def rate(self) -> float:
        """Returns control steps a second of late."""
        if len(self._recent) < 2:
            return 0.0
        return sum(steps for _, steps in list(self._recent)[1:]) / max(self._recent[-1][0] - self._recent[0][0], 1e-9)
