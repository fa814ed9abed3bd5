from mjx_arena.tasks.humanoid_pose.arena import HumanoidPose, HumanoidPoseSettings

__all__ = ["HumanoidPose", "HumanoidPoseSettings"]
