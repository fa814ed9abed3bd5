"""Films as a page: one HTML file that plays recorded episodes in any browser, with a camera of its own, offline.

`scene.py` describes what MuJoCo draws of a model, `furniture.py` what of it changes, `poses.py` packs where bodies and
camera are, `write.py` puts all that and the files of `web/` together.
"""

from mjx_arena.page.write import write_page

__all__ = ["write_page"]
