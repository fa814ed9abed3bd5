"""The games, one in each folder: rules, rewards, its own body, its own physics. A folder here is a game's name."""
