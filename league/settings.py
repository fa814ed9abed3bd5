"""Settings of the league, group `league` of the configuration."""

from dataclasses import dataclass, field

from mjx_arena.validation import require, require_not_negative

MATCHMAKERS = ("latest", "uniform", "delta_uniform", "pfsp", "openai_five", "mix")
PFSP_WEIGHTS = ("hard", "var", "linear", "capped")
EVICTIONS = ("fifo", "easiest")
ROLES = ("learner", "main", "main_exploiter", "league_exploiter")


@dataclass(frozen=True)
class MixSettings:
    """Shares of the matchmakers that the matchmaker `mix` draws from; they need not add up to 1."""

    latest: float = 0.25
    uniform: float = 0.75
    delta_uniform: float = 0.0
    pfsp: float = 0.0
    openai_five: float = 0.0

    def validate(self, prefix: str) -> None:
        require_not_negative(self, prefix, "a share must not be negative")
        require(sum(vars(self).values()) > 0, prefix, vars(self), "one share must be positive")


@dataclass(frozen=True)
class LeagueSettings:
    """The keys `player_pool_length`, `update_win_rate` to `max_update_steps` and `op_checkpoint` are TimeChamber's."""

    roles: tuple[str, ...] = ("learner",)  # of the learners, each with arenas of its own; see `league.roles`
    player_pool_length: int = 32  # members that the pool holds, anchors included
    mirror_fraction: float = 0.5  # share of arenas in which all agents are the learner
    matchmaker: str = "mix"
    mix: MixSettings = field(default_factory=MixSettings)
    pfsp_weight: str = "hard"  # of the matchmaker `pfsp`, by x, the learner's win rate
    pfsp_power: float = 2.0  # of the weight `hard`, (1 - x)^power
    delta: float = 0.5  # of the matchmaker `delta_uniform`: 0 draws from all of history, 1 the newest alone
    quality_step: float = 0.01  # of the matchmaker `openai_five`: how fast a member that loses falls out of favour
    update_win_rate: float | None = None  # a snapshot is taken above this win rate since the last one; None: never so
    games_to_check: int = 400  # games since the last snapshot before that win rate counts
    max_update_steps: int = 50  # iterations after which a snapshot is taken in any case
    eviction: str = "fifo"  # who goes from a full pool: the oldest (fifo), or whom the learner beats most (easiest)
    reset_share: float = 0.25  # of the snapshots of a league exploiter after which it starts anew
    keep_untrained: bool = True  # the untrained policy, the pool's first member, never goes
    passive: bool = False  # a member that does nothing, or what the task takes for that; it never goes
    op_checkpoint: tuple[str, ...] = ()  # first opponents: run folders, or files that scripts/export.py wrote
    anchors: tuple[str, ...] = ()  # more of them, that never go
    result_decay: float = 0.99  # per game, of the decayed results
    tile_rows: int = 16  # opponents that share one gather of weights

    @property
    def num_anchors(self) -> int:
        return self.keep_untrained + self.passive + len(self.anchors)

    def validate(self, prefix: str = "league") -> None:
        def check(condition: bool, key: str, remedy: str) -> None:
            require(condition, f"{prefix}.{key}", getattr(self, key), remedy)

        for role in self.roles:
            check(role in ROLES, "roles", f"must be of {', '.join(ROLES)}")
        check(
            self.roles == ("learner",)
            or ("main" in self.roles and "learner" not in self.roles and len(set(self.roles)) == len(self.roles)),
            "roles",
            "must be [learner], or main and its exploiters, each once",
        )
        slots = self.num_anchors + len(self.op_checkpoint) + len(self.roles) + 1
        check(
            self.player_pool_length >= slots,
            "player_pool_length",
            f"needs {slots} slots: for anchors, first opponents, the newest snapshot of each role, and one to fill",
        )
        check(0 <= self.mirror_fraction <= 1, "mirror_fraction", "must lie between 0 and 1")
        for key, names in (("matchmaker", MATCHMAKERS), ("pfsp_weight", PFSP_WEIGHTS), ("eviction", EVICTIONS)):
            check(getattr(self, key) in names, key, f"must be one of {', '.join(names)}")
        self.mix.validate(f"{prefix}.mix")
        check(self.pfsp_power > 0, "pfsp_power", "must be positive")
        check(0 <= self.delta <= 1, "delta", "must lie between 0 and 1")
        check(self.quality_step > 0, "quality_step", "must be positive")
        check(
            self.update_win_rate is None or 0 <= self.update_win_rate < 1,
            "update_win_rate",
            "must lie in [0, 1), or be null",
        )
        check(0 <= self.reset_share <= 1, "reset_share", "must lie between 0 and 1")
        check(
            len(self.roles) == 1 or self.mirror_fraction == 0,
            "mirror_fraction",
            "must be 0 with several roles: exploiters do not play themselves",
        )
        check(self.games_to_check >= 0, "games_to_check", "must not be negative")
        check(self.max_update_steps >= 1, "max_update_steps", "must be at least 1 iteration")
        check(0 < self.result_decay <= 1, "result_decay", "must lie in (0, 1]")
        check(self.tile_rows >= 1, "tile_rows", "must be at least 1 row")
