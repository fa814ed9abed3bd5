"""Settings of a run, and of its groups `league` and `logger`: each default stands here once, with what help says."""

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

from mjx_arena.arena import TaskSettings
from mjx_arena.physics.settings import PhysicsSettings
from mjx_arena.validation import checker, require, require_finite, require_not_negative
from ppo.settings import PPOSettings

PFSP_WEIGHTS = ("hard", "var", "linear", "capped")
EVICTIONS = ("fifo", "easiest")
DEBUG_TOPICS = ("actions", "reset", "reward", "learning", "checkpoints")
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


MATCHMAKERS = (*(each.name for each in fields(MixSettings)), "mix")


@dataclass(frozen=True)
class LeagueSettings:
    """Whom a learner plays, and who joins the pool; `league.config.renamed` has TimeChamber's names of some keys."""

    roles: tuple[str, ...] = ("learner",)  # of the learners, each with arenas of its own; see `league.roles`
    player_pool_length: int = 32  # members that the pool holds, anchors included
    mirror_fraction: float = 0.5  # share of arenas in which all agents are the learner
    matchmaker: str = "mix"  # latest, uniform, delta_uniform, pfsp, openai_five, or mix of them
    mix: MixSettings = field(default_factory=MixSettings)  # shares of the matchmakers that mix draws from
    pfsp_weight: str = "hard"  # by the win rate x: hard (1-x)^power, var x(1-x), linear 1-x, capped min(1/2, 1-x)
    pfsp_power: float = 2.0  # of the weight `hard`, (1 - x)^power
    delta: float = 0.5  # of the matchmaker `delta_uniform`: 0 draws from all of history, 1 the newest alone
    quality_step: float = 0.01  # of the matchmaker `openai_five`: how fast a member that loses falls out of favour
    snapshot_win_rate: float | None = None  # a snapshot is taken above this win rate since the last one; null: never so
    snapshot_min_games: int = 400  # games since the last snapshot before that win rate counts
    snapshot_interval: int = 50  # iterations after which a snapshot is taken in any case
    eviction: str = "fifo"  # who goes from a full pool: the oldest (fifo), or the most beaten one (easiest)
    reset_share: float = 0.25  # of the snapshots of a league exploiter after which it starts anew
    keep_untrained: bool = True  # the untrained policy, the pool's first member, never goes
    idle: bool = False  # a member that does nothing, by the game's own idle action; it never goes
    initial_opponents: tuple[str, ...] = ()  # first opponents: run folders, or files that scripts/export.py wrote
    anchors: tuple[str, ...] = ()  # more of them, that never go
    result_decay: float = 0.99  # per game, of the decayed results
    tile_rows: int = 16  # opponents that share one gather of weights

    @property
    def num_anchors(self) -> int:
        return self.keep_untrained + self.idle + len(self.anchors)

    def validate(self, prefix: str = "league") -> None:
        check = checker(self, prefix)
        for role in self.roles:
            check(role in ROLES, "roles", f"must be of {', '.join(ROLES)}")
        check(
            self.roles == ("learner",)
            or ("main" in self.roles and "learner" not in self.roles and len(set(self.roles)) == len(self.roles)),
            "roles",
            "must be [learner], or main and its exploiters, each once",
        )
        slots = self.num_anchors + len(self.initial_opponents) + len(self.roles) + 1
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
            self.snapshot_win_rate is None or 0 <= self.snapshot_win_rate < 1,
            "snapshot_win_rate",
            "must lie in [0, 1), or be null",
        )
        check(0 <= self.reset_share <= 1, "reset_share", "must lie between 0 and 1")
        check(
            len(self.roles) == 1 or self.mirror_fraction == 0,
            "mirror_fraction",
            "must be 0 with several roles: exploiters do not play themselves",
        )
        check(self.snapshot_min_games >= 0, "snapshot_min_games", "must not be negative")
        check(self.snapshot_interval >= 1, "snapshot_interval", "must be at least 1 iteration")
        check(0 < self.result_decay <= 1, "result_decay", "must lie in (0, 1]")
        check(self.tile_rows >= 1, "tile_rows", "must be at least 1 row")


@dataclass(frozen=True)
class LoggerSettings:
    """What a run writes while it goes: `metrics.jsonl` always, and these; group `logger` of the configuration."""

    interval: int = 1  # iterations between two log lines; metrics leave the device only then
    console: bool = True  # a progress line for people
    console_seconds: float = 10.0  # between two progress lines where the output is not a terminal
    tensorboard: bool = True  # event files in the run folder
    render_interval: int | None = 500  # iterations between two films of a match, in `films` and TensorBoard; null: none

    def validate(self, prefix: str = "logger") -> None:
        check = checker(self, prefix)
        check(self.interval >= 1, "interval", "must be at least 1 iteration")
        check(self.console_seconds >= 0, "console_seconds", "must not be negative")
        often = self.render_interval
        check(often is None or often >= 1, "render_interval", "must be at least 1 iteration, or null for no films")


@dataclass(frozen=True)
class RunSettings:
    """Everything that decides what a run does; groups first, then the keys of the run itself."""

    task: TaskSettings  # the game's own settings
    physics: PhysicsSettings = field(default_factory=PhysicsSettings)
    ppo: PPOSettings = field(default_factory=PPOSettings)
    league: LeagueSettings = field(default_factory=LeagueSettings)
    logger: LoggerSettings = field(default_factory=LoggerSettings)
    game_file: str | None = None  # a Python file with a game of your own, which is then the task
    num_arenas: int = 512  # matches that run side by side, over all devices; as many for each role of the league
    iterations: int = 1500  # each plays num_arenas * ppo.horizon arena steps for each role, then updates the policies
    total_arena_steps: int | None = None  # sets iterations by its arena steps instead, rounded up
    seed: int = 0
    devices: int | None = None  # how many to use; null: one per core on CPUs, all of them on GPUs
    randomize_initial_episode_length: bool = False  # so that time limits do not end all first matches at once
    phase: int | None = None  # of a task with phases: which to begin with, or to go on with, from 1; null: as it comes
    milestone_interval: int | None = None  # arena steps between full copies that no rotation deletes; null: none
    debug: str | None = None  # what it prints of itself: actions, reset, reward, learning, checkpoints, joined by +
    run_dir: str | None = None  # where the run is written; null: runs/<task>/<date-time>
    resume: str | None = None  # a run folder to go on with, or `latest` for the newest run of the task
    resume_step: int | None = None  # iteration of the checkpoint to resume from; null: the newest finished one
    checkpoint_interval: int = 25  # iterations between two checkpoints; the newest two are kept
    checkpoint_keep_interval: int = 100  # checkpoints at multiples of it, in iterations, are kept for good
    compilation_cache: bool = True  # keep compiled programs in the user's cache folder, to start sooner next time
    objective: str = "reward"  # metric that a run returns to a sweep, for sweepers that optimise

    @property
    def task_name(self) -> str:
        return self.task.name

    @property
    def debug_topics(self) -> tuple[str, ...]:
        return tuple(self.debug.split("+")) if self.debug else ()

    @property
    def arena_steps_per_iteration(self) -> int:
        """Arena steps of one iteration, over all roles and devices."""
        return self.num_arenas * len(self.league.roles) * self.ppo.horizon

    def resolved(self) -> "RunSettings":
        """Returns the same run with `total_arena_steps` turned into `iterations`, and with what settings imply.

        That is the only device of an engine on the host, and an idle member for phases without self-play.
        """
        changes: dict[str, Any] = {}
        if self.physics.on_host and self.devices is None:
            changes["devices"] = 1
        if not all(phase.self_play for phase in self.task.phases):
            changes["league"] = replace(self.league, idle=True)
        steps = self.total_arena_steps
        if steps is not None:
            require(steps >= 1, "total_arena_steps", steps, "must be at least 1, or null")
            iterations = math.ceil(steps / self.arena_steps_per_iteration)
            changes |= {"iterations": iterations, "total_arena_steps": None}
        return replace(self, **changes)

    def validate(self) -> None:
        """Raises SettingError for the first value that cannot work by itself; see `league.split` for sizes."""
        require_finite(self)
        for key in ("task", "physics", "ppo", "league", "logger"):
            getattr(self, key).validate(key)
        for key in ("num_arenas", "iterations", "checkpoint_interval", "checkpoint_keep_interval"):
            require(getattr(self, key) >= 1, key, getattr(self, key), "must be at least 1")
        last = max(len(self.task.phases), 1)
        require(self.phase is None or 1 <= self.phase <= last, "phase", self.phase, f"must lie between 1 and {last}")
        interval = self.milestone_interval
        require(interval is None or interval >= 1, "milestone_interval", interval, "must be at least 1, or null")
        for topic in self.debug_topics:
            require(topic in DEBUG_TOPICS, "debug", self.debug, f"must be of {', '.join(DEBUG_TOPICS)}, joined by +")
        require(0 <= self.seed < 2**32, "seed", self.seed, "must lie between 0 and 4294967295")
        if self.devices is not None:
            require(self.devices >= 1, "devices", self.devices, "must be at least 1, or null for all there are")
            on_host, remedy = self.physics.on_host, f"physics={self.physics.engine} uses every core from one device"
            require(not on_host or self.devices == 1, "devices", self.devices, f"{remedy}; take 1, or null")
