"""Settings of the league, group `league` of the configuration."""

from dataclasses import dataclass

from mjx_arena.settings import require

MATCHMAKERS = ("latest", "uniform", "mix")


@dataclass(frozen=True)
class LeagueSettings:
    pool_slots: int = 32
    snapshot_interval: int = 50  # iterations between two snapshots of the learner
    mirror_fraction: float = 0.5  # share of arenas in which all agents are the learner
    matchmaker: str = "mix"
    latest_share: float = 0.25  # of the matchmaker `mix`: draws of the newest member, the rest is uniform
    result_decay: float = 0.99  # per game, of the decayed results
    tile_rows: int = 16  # opponents that share one gather of weights

    def validate(self, prefix: str = "league") -> None:
        def check(condition: bool, key: str, remedy: str) -> None:
            require(condition, f"{prefix}.{key}", getattr(self, key), remedy)

        check(self.pool_slots >= 1, "pool_slots", "the pool needs at least 1 slot")
        check(self.snapshot_interval >= 1, "snapshot_interval", "must be at least 1 iteration")
        check(0 <= self.mirror_fraction <= 1, "mirror_fraction", "must lie between 0 and 1")
        check(self.matchmaker in MATCHMAKERS, "matchmaker", f"must be one of {', '.join(MATCHMAKERS)}")
        check(0 <= self.latest_share <= 1, "latest_share", "must lie between 0 and 1")
        check(0 < self.result_decay <= 1, "result_decay", "must lie in (0, 1]")
        check(self.tile_rows >= 1, "tile_rows", "must be at least 1 row")
