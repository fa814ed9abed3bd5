from mjx_arena.tasks.humanoid_duel.arena import HumanoidDuel, HumanoidDuelSettings

__all__ = ["HumanoidDuel", "HumanoidDuelSettings"]
