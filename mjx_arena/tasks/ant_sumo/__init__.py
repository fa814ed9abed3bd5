from mjx_arena.tasks.ant_sumo.arena import AntSumo, AntSumoSettings

__all__ = ["AntSumo", "AntSumoSettings"]
