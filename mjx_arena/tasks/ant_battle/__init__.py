from mjx_arena.tasks.ant_battle.arena import AntBattle, AntBattleSettings

__all__ = ["AntBattle", "AntBattleSettings"]
