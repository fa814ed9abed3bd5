"""The plots of the panel: reward terms, values and odds over the last seconds of a match."""

from collections.abc import Sequence

from mujoco.studio.dear_imgui import dear_imgui as im
from mujoco.studio.implot import implot

from league.watch.messages import Look

_HEIGHT = 120.0  # pixels
_TERM = "reward/"
_STILL = int(implot.Flags.NoMouseText) | int(implot.Flags.NoMenus) | int(implot.Flags.NoBoxSelect)


def draw_odds(look: Look) -> None:
    """Draws the probability that the first seat wins, where the players' values tell it."""
    known = [(frame.time, odds) for frame, odds in zip(look.history, look.odds, strict=True) if odds is not None]
    if len(known) < 2:
        im.TextDisabled("no policy plays that could tell")
        return
    times, odds = zip(*known, strict=True)
    name = f"{look.seats[0]} wins" if len(look.seats) > 1 else "success"
    im.Text(f"{name}: {odds[-1]:.0%}")
    _plot("##odds", {name: (times, odds)}, (0.0, 1.0))


def draw_values(look: Look) -> None:
    """Draws the return that each seat's policy expects."""
    lines = {}
    for seat, name in enumerate(look.seats):
        known = [(frame.time, frame.moves[seat].value) for frame in look.history if frame.moves]
        known = [(time, value) for time, value in known if value is not None]
        if len(known) > 1:
            lines[name] = tuple(zip(*known, strict=True))
    if lines:
        _plot("##values", lines)
    else:
        im.TextDisabled("no policy plays that expects anything")


def draw_terms(look: Look) -> None:
    """Draws the reward terms that are not always 0, and their present values as bars."""
    times = [frame.time for frame in look.history]
    terms = [name for name in look.frame.terms if name.startswith(_TERM)]
    lines = {name: [frame.terms[name] for frame in look.history] for name in terms}
    lines = {name.removeprefix(_TERM): values for name, values in lines.items() if any(values)}
    if len(times) < 2 or not lines:
        im.TextDisabled("nothing has been paid yet")
        return
    _plot("##terms", {name: (times, values) for name, values in lines.items()})
    most = max(max(map(abs, values)) for values in lines.values())
    for name, values in lines.items():
        draw_bar(f"{name} {values[-1]:+.4f}", values[-1] / most)


def draw_bar(text: str, value: float) -> None:
    """Draws `value` in [-1, 1] as a bar from its middle, with a text over it."""
    corner, width, height = im.GetCursorScreenPos(), im.GetContentRegionAvail().x, im.GetTextLineHeight()
    middle, ink = corner.x + width / 2, im.GetWindowDrawList()
    end = middle + width / 2 * min(max(value, -1.0), 1.0)
    colour = im.GetColorU32(im.Vec4(0.25, 0.55, 0.3, 1) if value >= 0 else im.Vec4(0.65, 0.3, 0.25, 1))
    low, high = im.Vec2(min(middle, end), corner.y), im.Vec2(max(middle, end) + 1, corner.y + height)
    ink.AddRectFilled(low, high, colour)
    im.TextUnformatted(text)


def _plot(label: str, lines: dict[str, tuple[Sequence[float], Sequence[float]]], limits: tuple | None = None) -> None:
    """Draws `lines`, name -> (times, values)."""
    if not implot.BeginPlot(label, im.Vec2(-1, _HEIGHT), _STILL):
        return
    fit = int(implot.AxisFlags.AutoFit)
    implot.SetupAxes("", "", fit, 0 if limits else fit)
    if limits:
        implot.SetupAxisLimits(implot.Axis.Y1, *limits, implot.Cond.Always)
    implot.SetupLegend(implot.Location.NorthWest)
    for name, (times, values) in lines.items():
        implot.PlotLine(name, list(times), [float(value) for value in values])
    implot.EndPlot()
