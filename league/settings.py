"""Settings of a run and of its groups `league` and `logger`: the only place of each default and its comment in help."""

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from mjx_arena.arena import TaskSettings
from mjx_arena.physics.settings import PhysicsSettings
from mjx_arena.validation import checker, require, require_finite, require_not_negative
from ppo.settings import PPOSettings

PFSP_WEIGHTS = ("hard", "var", "linear", "capped")
EVICTIONS = ("fifo", "easiest")
TRACKERS = ("wandb", "mlflow", "trackio")
TRACKER_AXES = ("arena_steps", "iteration")
DEBUG_TOPICS = ("actions", "reset", "reward", "learning", "checkpoints", "broken")
ROLES = ("learner", "main", "main_exploiter", "league_exploiter")


@dataclass(frozen=True)
class MixSettings:
    """Shares of the matchmakers that the matchmaker `mix` draws from; they need not add up to 1."""

    latest: float = 0.25  # share of the learner's newest snapshot
    uniform: float = 0.75  # share of all members with equal probability
    delta_uniform: float = 0.0  # share of the newer members, see league.delta
    pfsp: float = 0.0  # share of prioritised fictitious self-play, see league.pfsp_weight
    openai_five: float = 0.0  # share of OpenAI Five's matchmaker, see league.quality_step

    def validate(self, prefix: str) -> None:
        """Raises SettingError for the first value that is wrong."""
        require_not_negative(self, prefix, "a share must not be negative")
        require(sum(vars(self).values()) > 0, prefix, vars(self), "one share must be positive")


MATCHMAKERS = (*(each.name for each in fields(MixSettings)), "mix")


@dataclass(frozen=True)
class LeagueSettings:
    """The learners, the pool of their past policies, and the matchmaking between them."""

    roles: tuple[str, ...] = ("learner",)  # one for each learner: [learner], or main and its exploiters
    player_pool_length: int = 32  # slots of the pool for opponents, anchors included
    mirror_fraction: float = 0.5  # share of arenas in which all agents are the learner; in the others one is
    matchmaker: str = "mix"  # how opponents are drawn: latest, uniform, delta_uniform, pfsp, openai_five, or mix
    mix: MixSettings = field(default_factory=MixSettings)  # shares of the matchmakers, for league.matchmaker=mix
    pfsp_weight: str = "hard"  # of win rate x, for pfsp: hard (1-x)^power, var x(1-x), linear 1-x, capped min(1/2, 1-x)
    pfsp_power: float = 2.0  # power of pfsp_weight=hard
    delta: float = 0.5  # of delta_uniform: 0 draws from all members, 1 only the newest, 0.5 from the newer half
    quality_step: float = 0.01  # of openai_five: how fast a member that loses is drawn less
    snapshot_win_rate: float | None = None  # win rate since the last snapshot that brings the next early; null: none
    snapshot_min_games: int = 400  # games since the last snapshot that snapshot_win_rate needs
    snapshot_interval: int = 50  # iterations after which a snapshot joins the pool in any case
    eviction: str = "fifo"  # which member a full pool drops: fifo, the oldest; easiest, the one beaten most often
    exploiter_interval: int = (
        1  # exploiters play in one of so many iterations each, in turn; their snapshot_interval counts those
    )
    reset_share: float = 0.25  # probability that a league exploiter is re-initialised after a snapshot
    keep_untrained: bool = True  # the untrained policy, the first member of the pool, is never dropped
    idle: bool = False  # add a member that always plays the game's idle action and is never dropped
    initial_opponents: tuple[str, ...] = ()  # members from the start: run folders, or exported files; may be dropped
    anchors: tuple[str, ...] = ()  # members from the start, as initial_opponents, that are never dropped
    result_decay: float = 0.99  # factor on the weight of earlier results after each game with the same member
    tile_rows: int = 16  # rows of observations that share one gather of an opponent's weights; for speed only

    @property
    def num_anchors(self) -> int:
        """Returns the number of members that are never dropped."""
        return self.keep_untrained + self.idle + len(self.anchors)

    def validate(self, prefix: str = "league") -> None:
        """Raises SettingError for the first value that is wrong."""
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
        check(self.exploiter_interval >= 1, "exploiter_interval", "must be at least 1 iteration")
        check(self.snapshot_min_games >= 0, "snapshot_min_games", "must not be negative")
        check(self.snapshot_interval >= 1, "snapshot_interval", "must be at least 1 iteration")
        check(0 < self.result_decay <= 1, "result_decay", "must lie in (0, 1]")
        check(self.tile_rows >= 1, "tile_rows", "must be at least 1 row")


@dataclass(frozen=True)
class LoggerSettings:
    """What a run writes while it trains, in addition to `metrics.jsonl`."""

    interval: int = 1  # iterations between two rows of the log; metrics leave the device only then
    console: bool = True  # print a progress line
    console_seconds: float = 10.0  # seconds between two progress lines where the output is not a terminal
    tensorboard: bool = True  # write TensorBoard's event files into the run folder
    render_interval: int | None = 500  # iterations between two films, in films/ and TensorBoard; null: no films
    dump_steps: int = 16  # last control steps of each arena that are kept, for dumps of those that break; 0: none
    dump_files: int = 4  # dumps in the run folder after which no more are written
    trackers: tuple[str, ...] = ()  # send the numbers to wandb, mlflow, trackio too; each needs the extra of its name
    tracker_project: str = "mjx-arena"  # project there, or experiment of MLflow
    tracker_run: str | None = None  # name of the run there; null: that of its folder
    tracker_axis: str = "arena_steps"  # what trackers draw curves over: arena_steps or iteration

    def validate(self, prefix: str = "logger") -> None:
        """Raises SettingError for the first value that is wrong."""
        check = checker(self, prefix)
        check(self.interval >= 1, "interval", "must be at least 1 iteration")
        check(self.console_seconds >= 0, "console_seconds", "must not be negative")
        often = self.render_interval
        check(often is None or often >= 1, "render_interval", "must be at least 1 iteration, or null for no films")
        for key in ("dump_steps", "dump_files"):
            check(getattr(self, key) >= 0, key, "must not be negative; 0 keeps nothing of arenas that break")
        for name in self.trackers:
            require(name in TRACKERS, f"{prefix}.trackers", name, f"must be of {', '.join(TRACKERS)}")
        check(len(set(self.trackers)) == len(self.trackers), "trackers", "must name each once")
        for key in ("tracker_project", "tracker_run"):
            check(getattr(self, key) != "", key, "must not be empty")
        check(self.tracker_axis in TRACKER_AXES, "tracker_axis", f"must be one of {', '.join(TRACKER_AXES)}")


@dataclass(frozen=True)
class DistributedSettings:
    """A run over several hosts: the same command on each. Under Slurm's `srun` and Open MPI all may stay null."""

    coordinator: str | None = None  # host:port of process 0, where it listens for the others; null: ask the launcher
    num_processes: int | None = None  # on all hosts together; null: ask the launcher
    process_id: int | None = None  # of this process, from 0; null: ask the launcher

    def validate(self, prefix: str = "distributed") -> None:
        """Raises SettingError for the first value that is wrong."""
        check = checker(self, prefix)
        host, _, port = (self.coordinator or "host:1").rpartition(":")
        check(host != "" and port.isdigit(), "coordinator", "must be host:port, or null")
        check(self.num_processes is None or self.num_processes >= 1, "num_processes", "must be at least 1, or null")
        check(self.process_id is None or self.process_id >= 0, "process_id", "must not be negative")


@dataclass(frozen=True)
class RunSettings:
    """All settings of a run: groups first, then the keys of the run itself."""

    task: TaskSettings  # the game's own settings
    physics: PhysicsSettings = field(default_factory=PhysicsSettings)  # the engine
    ppo: PPOSettings = field(default_factory=PPOSettings)  # the learner
    league: LeagueSettings = field(default_factory=LeagueSettings)  # the opponents
    logger: LoggerSettings = field(default_factory=LoggerSettings)  # what is written during the run
    distributed: DistributedSettings = field(default_factory=DistributedSettings)  # several hosts
    game_file: str | None = None  # a Python file with your own game, which is then the task
    num_arenas: int = 256  # matches that run side by side, on all devices together; as many for each role
    iterations: int = 1500  # each plays num_arenas * ppo.horizon arena steps for each role, then updates its policy
    total_arena_steps: int | None = None  # length of the run in arena steps, in place of iterations; rounded up
    seed: int = 0  # random seed of the run
    devices: int | None = None  # how many to use; null: CPU cores or GPUs, as many as num_arenas splits over
    processes: int = 1  # on this machine, each with its part of the devices and cores; one uses all of them as well
    # count the steps of the first matches from a random number, so that not all reach the time limit at once
    randomize_initial_episode_length: bool = False
    phase: int | None = None  # phase of the task to start in, from 1; null: the first, or on resume the current one
    milestone_interval: int | None = None  # arena steps between milestones, copies that are never deleted; null: none
    debug: str | None = None  # topics to print: actions, reset, reward, learning, checkpoints, broken, joined by +
    run_dir: str | None = None  # new folder for the run; null: runs/<task>/<date-time>
    resume: str | None = None  # run to continue: its folder, `latest` for the task's newest, or milestone:<number>
    resume_step: int | None = None  # iteration of the checkpoint to resume from; null: the newest
    checkpoint_interval: int = 25  # iterations between two checkpoints, of which the newest two are kept
    checkpoint_keep_interval: int = 100  # checkpoints at multiples of this many iterations are never deleted
    compilation_cache: bool = True  # keep compiled programs in the user's cache folder, so later runs start sooner
    objective: str = "reward"  # metric that a run returns to Hydra, for sweepers that optimise

    @property
    def task_name(self) -> str:
        """Returns the name of the task, as in `task=<name>`."""
        return self.task.name

    @property
    def debug_topics(self) -> tuple[str, ...]:
        """Returns the topics that `debug` names."""
        return tuple(self.debug.split("+")) if self.debug else ()

    @property
    def num_processes(self) -> int:
        """Returns the number of processes of the run, on all hosts."""
        return self.distributed.num_processes or self.processes

    @property
    def dofs_in_xla(self) -> int | None:
        """Returns the degrees of freedom of one arena that XLA solves for; None if unknown."""
        return self.task.num_dofs if self.physics.traits.in_xla else 0

    @property
    def arena_steps_per_iteration(self) -> int:
        """Returns the arena steps of an iteration, over all roles and devices; the mean where exploiters take turns."""
        exploiters, interval = len(self.league.roles) - 1, self.league.exploiter_interval
        return self.num_arenas * self.ppo.horizon * (interval + exploiters) // interval

    def resolved(self) -> Self:
        """Returns the same run with `total_arena_steps` turned into `iterations`, and with settings that others imply.

        These are one device in each process for an engine that needs it, and `league.idle=true` if a phase has no
        self-play. Raises SettingError for `total_arena_steps` below 1.
        """
        changes: dict[str, Any] = {}
        if self.physics.one_device and self.devices is None:
            changes["devices"] = self.num_processes
        if not all(phase.self_play for phase in self.task.phases):
            changes["league"] = replace(self.league, idle=True)
        steps = self.total_arena_steps
        if steps is not None:
            require(steps >= 1, "total_arena_steps", steps, "must be at least 1, or null")
            iterations = math.ceil(steps / self.arena_steps_per_iteration)
            changes |= {"iterations": iterations, "total_arena_steps": None}
        return replace(self, **changes)

    def validate(self) -> None:
        """Raises SettingError for the first value that is wrong by itself; `league.split` checks divisibility."""
        require_finite(self)
        for key in ("task", "physics", "ppo", "league", "logger", "distributed"):
            getattr(self, key).validate(key)
        for key in ("num_arenas", "processes", "iterations", "checkpoint_interval", "checkpoint_keep_interval"):
            require(getattr(self, key) >= 1, key, getattr(self, key), "must be at least 1")
        last = max(len(self.task.phases), 1)
        require(self.phase is None or 1 <= self.phase <= last, "phase", self.phase, f"must lie between 1 and {last}")
        interval = self.milestone_interval
        require(interval is None or interval >= 1, "milestone_interval", interval, "must be at least 1, or null")
        for topic in self.debug_topics:
            require(topic in DEBUG_TOPICS, "debug", self.debug, f"must be of {', '.join(DEBUG_TOPICS)}, joined by +")
        require(0 <= self.seed < 2**32, "seed", self.seed, "must lie between 0 and 4294967295")
        alone = self.distributed.coordinator is None and (self.distributed.num_processes or 1) == 1
        remedy = "must be 1 beside distributed.coordinator, and where a launcher starts several processes"
        require(self.processes == 1 or alone, "processes", self.processes, remedy)
        if self.devices is not None:
            require(self.devices >= 1, "devices", self.devices, "must be at least 1, or null for all there are")
            processes = self.num_processes
            even = self.devices % processes == 0
            require(even, "devices", self.devices, f"must be a multiple of the {processes} processes, or null")
            fits = self.devices == processes or not self.physics.one_device
            remedy = f"physics={self.physics.engine} uses every core from one device here; take {processes}, or null"
            require(fits, "devices", self.devices, remedy)
