"""The games. Each folder holds one, which has the folder's name: rules, rewards, and its own bodies and physics."""
