"""The panel of the viewer: who plays, how fast, what is going on, and what a person presses."""

import functools
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
from mujoco.studio import messages as studio
from mujoco.studio import plugin, ux  # pyright: ignore[reportAttributeAccessIssue]
from mujoco.studio.dear_imgui import dear_imgui as im

from league.watch import plots
from league.watch.messages import HeldKeys, Look, Request, Sliders
from league.watch.players import PERSON
from league.watch.stage import Prop, aim

_WIDTH, _MARGIN, _TIMELINE = 350.0, 8.0, 62.0  # pixels
_SHARE = 0.5  # of a narrow page that the panel takes at most
_SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_FIXED = sum(int(getattr(im.WindowFlags, name)) for name in ("NoMove", "NoResize", "NoSavedSettings", "NoTitleBar"))
_SPECIAL = {"Space": im.Key.Space, "Shift": im.Key.LeftShift, "Ctrl": im.Key.LeftCtrl} | {
    name: getattr(im.Key, f"{name}Arrow") for name in ("Up", "Down", "Left", "Right")
}


class Panel(plugin.ViewerPlugin):
    """Draws the panel in every frame from the newest `Look`, and sends wishes to the session."""

    def __init__(self) -> None:
        self._look: Look | None = None
        self._aimed, self._seat, self._as_filmed = 0, 0, False
        self._held: frozenset[str] = frozenset()
        self._pressed = False
        self._sliders: dict[int, float] = {}
        self._places: dict[str, tuple[float, ...]] = {}  # middle of each control on the page, pixels

    def status(self) -> dict[str, Any]:
        """Returns what is going on as plain data, and where on the page the controls are; for programs."""
        look, places = self._look, dict(self._places)
        if look is None:
            return {"ready": False}
        names = ("task", "engine", "players", "chosen", "choices", "wins", "draws", "seed", "speed", "paused", "back")
        names += ("reel", "control_dt", "rate", "late", "note", "ended", "explained")
        actions = [np.asarray(move.action).tolist() for move in look.frame.moves]
        frame = {"number": look.frame.number, "time": look.frame.time, "actions": actions}
        keys = {"held": sorted(self._held), "acted": sorted(look.acted), "acted_at": look.acted_at}
        own = {"ready": True, "pressed": self._pressed, "places": places, **keys}
        return own | {name: getattr(look, name) for name in names} | frame

    @studio.handler
    def _on_init(self, _: plugin.ViewerInitEvent) -> None:
        ux.setup_theme(ux.GuiTheme.DARK)

    @studio.handler
    def _on_look(self, look: Look) -> None:
        self._look = look
        if look.stage != self._aimed:
            self._aimed, self._seat, self._sliders, self._places = look.stage, 0, {}, {}
            self._as_filmed = look.view.steer is not None
            aim(self.viewer.camera, self.viewer.model, look.view, self._as_filmed)
        self.viewer.extra_geoms[:] = [_geom(prop) for prop in look.props]

    @studio.handler
    def _on_gui(self, _: studio.BuildGuiEvent) -> None:
        look, screen = self._look, im.GetIO().DisplaySize
        if look is None:
            return
        self._read_keys(look)
        self._pressed = im.IsMouseDown(im.MouseButton.Left)
        always = im.Cond.Always
        im.SetNextWindowPos(im.Vec2(_MARGIN, _MARGIN), always)
        im.SetNextWindowSize(
            im.Vec2(min(_WIDTH, _SHARE * screen.x), max(screen.y - _TIMELINE - 3 * _MARGIN, 120)), always
        )
        if im.Begin("mjx-arena", flags=_FIXED)[0]:
            self._draw_match(look)
            self._draw_choices(look)
            if look.note:
                im.TextWrapped(look.note)
            self._draw_details(look)
        im.End()
        im.SetNextWindowPos(im.Vec2(_MARGIN, screen.y - _TIMELINE - _MARGIN), always)
        im.SetNextWindowSize(im.Vec2(screen.x - 2 * _MARGIN, _TIMELINE), always)
        if im.Begin("timeline", flags=_FIXED)[0]:
            self._draw_timeline(look)
        im.End()

    def _wish(self, what: str, *values: Any) -> None:
        self.viewer.send_to_sim(Request(what, values))

    def _placed(self, name: str) -> None:
        """Remembers where the last control is."""
        low, high = im.GetItemRectMin(), im.GetItemRectMax()
        self._places[name] = ((low.x + high.x) / 2, (low.y + high.y) / 2)

    def _draw_match(self, look: Look) -> None:
        """Draws the score, the clock, and what is going on."""
        for name, wins, player in zip(look.seats, look.wins, look.players, strict=True):
            im.Text(f"{wins:3d}  {name}: {player}")
        draws = f"{look.draws} draws   " if len(look.seats) > 1 else ""
        im.Text(f"{draws}{look.frame.time:6.2f} s   {look.rate:.0f} control steps/s, {look.late} late")
        im.TextColored(im.Vec4(1, 0.8, 0.3, 1), look.ended or " ")  # always a line, for nothing below to move

    def _draw_choices(self, look: Look) -> None:
        self._combo("task", look.task, look.tasks, functools.partial(self._wish, "choose_task"))
        for seat, name in enumerate(look.seats):
            self._combo(name, look.chosen[seat], look.choices, functools.partial(self._wish, "choose_player", seat))
        self._combo("engine", look.engine, look.engines, functools.partial(self._wish, "choose_engine"))
        filmed, as_filmed = im.Checkbox("camera as in films", self._as_filmed)
        if filmed:
            self._as_filmed = as_filmed
            aim(self.viewer.camera, self.viewer.model, look.view, as_filmed)
        changed, sampled = im.Checkbox("sample actions, as in training", look.sampled)
        if changed:
            self._wish("choose_sampled", sampled)

    def _combo(self, label: str, chosen: str, choices: tuple[str, ...], choose: Callable[[str], None]) -> None:
        opened = im.BeginCombo(label, chosen)
        self._placed(label)
        if not opened:
            return
        for choice in choices:
            picked = im.Selectable(choice, choice == chosen)
            self._placed(f"{label}={choice}")
            if picked:
                choose(choice)
        im.EndCombo()

    def _draw_details(self, look: Look) -> None:
        people = [seat for seat, name in enumerate(look.chosen) if name == PERSON]
        if people and im.CollapsingHeader("your keys", int(im.TreeNodeFlags.DefaultOpen)):
            self._draw_keys(look)
        for title, draw, opened in (
            ("who will win", plots.draw_odds, True),
            ("reward terms", plots.draw_terms, True),
            ("values", plots.draw_values, False),
            ("actions", self._draw_actions, False),
            ("observations", self._draw_observations, False),
        ):
            if im.CollapsingHeader(title, int(im.TreeNodeFlags.DefaultOpen) if opened else 0):
                draw(look)
            self._placed(title)

    def _draw_keys(self, look: Look) -> None:
        for key in look.keyboard:
            held = key.name in self._held
            colour = im.Vec4(1, 0.8, 0.2, 1) if held else im.Vec4(0.8, 0.8, 0.8, 1)
            im.TextColored(colour, f"{key.name:>6}  {key.does}")
        if not look.continuous:
            return
        im.TextDisabled("or take controls over by sliders")
        for index, name in enumerate(look.action_names):
            taken, on = im.Checkbox(f"##{index}", index in self._sliders)
            if taken:
                self._sliders = {k: v for k, v in self._sliders.items() if k != index} | ({index: 0.0} if on else {})
            im.SameLine()
            moved, value = im.SliderFloat(name, self._sliders.get(index, 0.0), -1.0, 1.0)
            if moved:
                self._sliders = self._sliders | {index: value}
            if taken or moved:
                self.viewer.send_to_sim(Sliders(self._sliders))

    def _choose_seat(self, look: Look) -> None:
        if len(look.seats) > 1:
            for seat, name in enumerate(look.seats):
                if im.RadioButton(f"{name}##seat{seat}", self._seat == seat):
                    self._seat = seat
                im.SameLine()
            im.NewLine()

    def _draw_actions(self, look: Look) -> None:
        self._choose_seat(look)
        if not look.frame.moves:
            im.TextDisabled("none yet")
            return
        action = np.asarray(look.frame.moves[self._seat].action)
        if not look.continuous:
            im.TextWrapped(look.explained[self._seat])
            return
        for name, value in zip(look.action_names, action, strict=True):
            plots.draw_bar(f"{name} {value:+.2f}", float(value))

    def _draw_observations(self, look: Look) -> None:
        self._choose_seat(look)
        for name, value in zip(look.observation_names, look.frame.observation[self._seat], strict=True):
            im.TextUnformatted(f"{value:+9.3f}  {name}")

    def _draw_timeline(self, look: Look) -> None:
        """Draws the controls of time, and the last minutes to scrub."""
        if im.Button("go on" if look.paused else "pause"):
            self._wish("pause", not look.paused)
        self._placed("pause")
        for label, what in (("step", "step"), ("next match", "next_match")):
            im.SameLine()
            if im.Button(label):
                self._wish(what)
            self._placed(label)
        im.SameLine()
        im.SetNextItemWidth(90)
        changed, seed = im.InputInt("seed", look.seed, 0)
        if changed and seed != look.seed and seed >= 0:
            self._wish("next_match", seed)
        for speed in _SPEEDS:
            im.SameLine()
            if im.RadioButton(f"{speed:g}x", abs(look.speed - speed) < 1e-9):
                self._wish("choose_speed", speed)
            self._placed(f"{speed:g}x")
        im.SetNextItemWidth(-1)
        span = (look.reel - 1) * look.control_dt
        moved, back = im.SliderFloat("##reel", -look.back * look.control_dt, -span, 0.0, "%.2f s")
        self._placed("reel")
        if moved:
            self._wish("scrub", round(-back / look.control_dt))

    def _read_keys(self, look: Look) -> None:
        """Sends the keys that a person holds; without a person they halt and step the match."""
        if im.IsAnyItemActive():  # a number that is typed is no key of the game
            return
        if PERSON in look.chosen:
            held = frozenset(key.name for key in look.keyboard if im.IsKeyDown(_code(key.name)))
            if held != self._held:
                self._held = held
                self.viewer.send_to_sim(HeldKeys(held))
            return
        for key, what, values in (
            (im.Key.Space, "pause", (not look.paused,)),
            (im.Key.RightArrow, "step", ()),
            (im.Key.N, "next_match", ()),
        ):
            if im.IsKeyPressed(key, False):
                self._wish(what, *values)


def _geom(prop: Prop) -> mujoco.MjvGeom:
    geom = mujoco.MjvGeom()
    fields = (prop.type, *(np.array(field) for field in prop[1:4]), np.array(prop.colour, np.float32))
    mujoco.mjv_initGeom(geom, *fields)
    return geom


def _code(name: str) -> Any:
    return _SPECIAL.get(name) or getattr(im.Key, name)
