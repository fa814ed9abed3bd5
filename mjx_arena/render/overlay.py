"""Captions as pixels: small plates of text, bars and keys, drawn with Pillow and blended into frames.

A plate is drawn again only when its text changes; bars and lights are plain rectangles on top of it.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mjx_arena.render.caption import Caption, Player

_PLATE, _TEXT, _DIM = (16, 20, 28, 150), (255, 255, 255, 255), (190, 198, 210, 255)  # RGBA
_PLUS, _MINUS, _AXIS = (96, 200, 120), (235, 95, 85), (120, 128, 140)  # RGB of bars
_HELD, _FREE = (255, 204, 51, 255), (16, 20, 28, 150)
_LETTERS = 5  # share of white in a name's colour, in tenths, so that dark ones can be read


class _Plate(NamedTuple):
    """A picture ready to be blended: its place, colours times opacity, and what is left of the frame."""

    left: int
    top: int
    colour: np.ndarray  # [h, w, 3] uint8
    rest: np.ndarray  # [h, w, 1] uint16, of 256

    def blend(self, frame: np.ndarray) -> None:
        height, width = self.colour.shape[:2]
        under = frame[self.top : self.top + height, self.left : self.left + width]
        high, wide = under.shape[:2]
        mixed = under * self.rest[:high, :wide]
        mixed >>= 8
        np.add(mixed, self.colour[:high, :wide], out=under, casting="unsafe")


class Overlay:
    """Writes captions into frames of `width` x `height` pixels; letters grow with the height."""

    def __init__(self, width: int, height: int):
        self._width, self._height = width, height
        self._unit = max(height / 720, 0.5)
        self._small, self._large = (ImageFont.load_default(round(size * self._unit)) for size in (15, 22))
        self._digit = max(self._large.getlength(digit) for digit in "0123456789")
        self._length = functools.cache(self._small.getlength)
        self._kept: dict[str, tuple[Any, _Plate]] = {}

    def write(self, frame: np.ndarray, caption: Caption) -> None:
        """Writes `caption` into `frame` `[height, width, 3]` uint8."""
        edge = self._pixels(16)
        self._plate("clock", caption.clock, lambda: self._clock(caption.clock)).blend(frame)
        below = edge + self._pixels(38)
        if caption.players:
            plate = self._plate("players", caption.players, lambda: self._players(caption.players, below))
            plate.blend(frame)
        if caption.terms:
            self._write_terms(frame, caption)
        if caption.notes:
            self._plate("notes", caption.notes, lambda: self._notes(caption.notes)).blend(frame)
        if caption.keys:
            self._plate("keys", caption.keys, lambda: self._keys(caption.keys)).blend(frame)

    def _plate(self, name: str, content: Any, make: Callable[[], _Plate]) -> _Plate:
        """Returns the plate `name`, made again if it had another content."""
        kept = self._kept.get(name)
        if kept is None or kept[0] != content:
            self._kept[name] = kept = content, make()
        return kept[1]

    def _clock(self, text: str) -> _Plate:
        """Draws the clock with digits of one width, so that it does not tremble."""
        places = [self._digit if letter.isdigit() else self._digit / 2 for letter in text]
        pad, height = self._pixels(10), self._pixels(32)
        image, pen = _empty(round(sum(places)) + 2 * pad, height)
        left = float(pad)
        for letter, place in zip(text, places, strict=True):
            pen.text((left + place / 2, height / 2), letter, _TEXT, self._large, "mm")
            left += place
        return _ready(image, self._pixels(16), self._pixels(16))

    def _players(self, players: tuple[Player, ...], top: int) -> _Plate:
        line, pad, mark = self._pixels(22), self._pixels(10), self._pixels(11)
        seats = max(self._length(player.seat) for player in players)
        names = max(self._length(player.name) for player in players)
        left = (pad, pad + mark + self._pixels(8), pad + mark + self._pixels(20) + seats)
        counted = any(player.points is not None for player in players)
        width = left[2] + names + pad + (self._pixels(30) if counted else 0)
        image, pen = _empty(round(width), line * len(players) + self._pixels(10))
        for index, player in enumerate(players):
            middle = self._pixels(5) + line * (index + 0.5)
            rgb = tuple(round(255 * part) for part in player.colour)
            light = tuple((part * (10 - _LETTERS) + 255 * _LETTERS) // 10 for part in rgb)
            pen.rectangle((left[0], middle - mark // 2, left[0] + mark - 1, middle - mark // 2 + mark - 1), (*rgb, 255))
            pen.text((left[1], middle), player.seat, (*light, 255), self._small, "lm")
            pen.text((left[2], middle), player.name, _TEXT, self._small, "lm")
            if player.points is not None:
                pen.text((width - pad, middle), str(player.points), _TEXT, self._small, "rm")
        return _ready(image, self._pixels(16), top)

    def _write_terms(self, frame: np.ndarray, caption: Caption) -> None:
        """Writes a line for each reward term: its name, and a bar to the right if it pays and to the left if it costs.

        Leaves out lines for which the frame has no room.
        """
        line, pad, half = self._pixels(17), self._pixels(10), self._pixels(60)
        room = (self._height * 6 // 10) // line
        terms = caption.terms[: max(room, 1)]
        labels = tuple(name for name, _ in terms)
        title = f"reward of {caption.players[0].seat}" if caption.players else "reward"
        names = round(max(self._length(name) for name in (*labels, title)))
        width, height = names + 2 * half + 3 * pad, line * (len(terms) + 1) + pad
        left, top = self._pixels(16), self._height - self._pixels(16) - height
        total = "" if caption.total is None else f"{caption.total:.1f}"

        def make() -> _Plate:
            image, pen = _empty(width, height)
            pen.text((pad, pad // 2 + line / 2), title, _DIM, self._small, "lm")
            pen.text((width - pad, pad // 2 + line / 2), total, _TEXT, self._small, "rm")
            for index, name in enumerate(labels):
                pen.text((pad, pad // 2 + line * (index + 1.5)), name, _TEXT, self._small, "lm")
            return _ready(image, left, top)

        self._plate("terms", (labels, title, total), make).blend(frame)
        axis, thick = left + names + 2 * pad + half, self._pixels(9)
        for index, (_, value) in enumerate(terms):
            upper = top + pad // 2 + line * (index + 1) + (line - thick) // 2
            end = axis + round(value * half)
            frame[upper : upper + thick, min(axis, end) : max(axis, end)] = _PLUS if value > 0 else _MINUS
            frame[upper - 1 : upper + thick + 1, axis : axis + 1] = _AXIS

    def _notes(self, notes: tuple[str, ...]) -> _Plate:
        line, pad = self._pixels(20), self._pixels(10)
        width, height = round(max(map(self._length, notes))) + 2 * pad, line * len(notes) + pad
        image, pen = _empty(width, height)
        for index, note in enumerate(notes):
            pen.text((pad, pad // 2 + line * (index + 0.5)), note, _TEXT, self._small, "lm")
        edge = self._pixels(16)
        return _ready(image, self._width - edge - width, edge)

    def _keys(self, keys: tuple[tuple[str, bool], ...]) -> _Plate:
        side, gap = self._pixels(44), self._pixels(8)
        width = len(keys) * side + (len(keys) - 1) * gap
        image = Image.new("RGBA", (width, side))
        pen = ImageDraw.Draw(image)
        for index, (name, held) in enumerate(keys):
            left = index * (side + gap)
            pen.rounded_rectangle((left, 0, left + side - 1, side - 1), side // 6, _HELD if held else _FREE)
            pen.text((left + side / 2, side / 2), name, (16, 20, 28, 255) if held else _TEXT, self._large, "mm")
        return _ready(image, (self._width - width) // 2, self._height - self._pixels(16) - side)

    def _pixels(self, size: float) -> int:
        return round(size * self._unit)


def _empty(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Starts a plate with round corners."""
    image = Image.new("RGBA", (width, height))
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((0, 0, width - 1, height - 1), 5, _PLATE)
    return image, pen


def _ready(image: Image.Image, left: int, top: int) -> _Plate:
    pixels = np.asarray(image).astype(np.uint16)
    colour, opacity = pixels[..., :3], pixels[..., 3:]
    return _Plate(max(left, 0), max(top, 0), (colour * opacity // 255).astype(np.uint8), 256 - opacity * 256 // 255)
