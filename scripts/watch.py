"""Shows matches in a browser while they are played."""

from league.commands.app import main

if __name__ == "__main__":
    main("watch")
