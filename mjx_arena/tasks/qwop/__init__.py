from mjx_arena.tasks.qwop.arena import Qwop, QwopSettings

__all__ = ["Qwop", "QwopSettings"]
