"""Pictures and films of an arena, without a display."""

from mjx_arena.render.caption import WHITE as WHITE
from mjx_arena.render.caption import Caption as Caption
from mjx_arena.render.caption import Captions as Captions
from mjx_arena.render.caption import Player as Player
from mjx_arena.render.context import RenderError as RenderError
from mjx_arena.render.frames import Moment as Moment
from mjx_arena.render.frames import draw as draw
from mjx_arena.render.frames import render as render
from mjx_arena.render.writer import write_film as write_film
from mjx_arena.render.writer import write_gif as write_gif
from mjx_arena.render.writer import write_stills as write_stills
