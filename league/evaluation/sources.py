"""Sources of finished policies: a run's folder, a file that the command export wrote, or a champion of the package."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from league import pool
from league.config.compose import from_mapping
from league.evaluation import champions, policy_file
from league.evaluation.policy_file import PolicyFileError, architecture
from league.run import folder as run_folder
from league.run.checkpoints import Checkpoints
from league.settings import LeagueSettings, RunSettings
from mjx_arena import registry
from mjx_arena.arena import Arena
from mjx_arena.validation import SettingError, require
from ppo.policy import Policy, PolicyState


class Contestant(NamedTuple):
    """One policy, and where it comes from."""

    source: str  # run folder or file
    role: str  # role of its learner
    iteration: int  # when it was saved
    arena_steps: int  # of the run until then, over all arenas
    policy: Policy
    state: PolicyState


class Source(Protocol):
    """The policies of one run."""

    settings: RunSettings  # of a run; a file gives its task and network, the rest are defaults
    arena: Arena
    policy: Policy

    def newest(self) -> Contestant:
        """Returns the newest policy; in a run with several roles, that of the first."""
        ...

    def at_fraction(self, share: float) -> Contestant:
        """Returns the policy saved nearest to `share` of the way to the newest; 0 is the untrained one.

        Raises SettingError for a source that holds one policy alone.
        """
        ...

    def sample_checkpoints(self, count: int) -> list[Contestant]:
        """Returns up to `count` policies, spread over training, the newest last."""
        ...


class RunSource:
    """The policies in a run's checkpoints and in the pool of the newest of them, or of checkpoint `step`."""

    def __init__(self, folder: str | Path, step: int | None = None, engine: str | None = None):
        self.folder = Path(folder)
        if not run_folder.finished_steps(self.folder):
            raise SettingError("run", folder, "is no run's folder with a finished checkpoint, and no exported .npz")
        self.settings = _on_engine(from_mapping(run_folder.read_config(self.folder)), engine)
        self.arena = registry.build(self.settings.task, self.settings.physics)
        self.policy = Policy(self.arena.observation_size, self.arena.action, self.settings.ppo)
        with self._checkpoints() as checkpoints:
            self.steps = [other for other in checkpoints.steps() if step is None or other <= step]
            self.step = step if step is not None else self.steps[-1]
        self._learner: dict[int, PolicyState] = {}

    def newest(self) -> Contestant:
        return self._of_learner(self.step, 0)

    def at_fraction(self, share: float) -> Contestant:
        wanted = share * self.step
        return self._of_learner(min(self.steps, key=lambda step: abs(step - wanted)), 0)

    def at(self, step: int) -> Contestant:
        """Returns the policy of the checkpoint `step`, which may be newer than the source; the first role's.

        Raises CheckpointError if there is none, or it cannot be read.
        """
        return self._of_learner(step, 0)

    def sample_checkpoints(self, count: int) -> list[Contestant]:
        members = self._pool()
        roles = range(len(self.settings.league.roles))
        slot_of: dict[tuple[int, int], int | None] = {
            (step, -role): None for step in self.steps for role in roles if step > 0 or role == 0
        }
        for slot in np.flatnonzero(np.asarray(members.role) != pool.FOREIGN):
            slot_of[int(members.iteration[slot]), -int(members.role[slot])] = int(slot)
        order = sorted(slot_of)  # of one step the first role comes last
        chosen = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
        contestants = []
        for step, role in (order[index] for index in chosen):
            slot = slot_of[step, role]
            if slot is None:
                contestants.append(self._of_learner(step, -role))
            else:
                state = jax.tree.map(lambda x, slot=slot: x[slot], members.policies)
                contestants.append(self._contestant(step, -role, state))
        return contestants

    def _of_learner(self, step: int, role: int) -> Contestant:
        if step not in self._learner:
            self._learner[step] = self._restore("learner.policy", self._stacked(), step)
        return self._contestant(step, role, jax.tree.map(lambda x: x[role], self._learner[step]))

    def _contestant(self, step: int, role: int, state: PolicyState) -> Contestant:
        name = self.settings.league.roles[role]
        steps = step * self.settings.arena_steps_per_iteration
        return Contestant(str(self.folder), name, step, steps, self.policy, state)

    def _pool(self) -> pool.Pool:
        untrained = jax.eval_shape(self.policy.init, jax.random.key(0))
        shape = jax.eval_shape(lambda state: pool.create(state, self.settings.league, self.arena.num_sides), untrained)
        return self._restore("pool", shape, self.step)

    def _stacked(self) -> PolicyState:
        """Returns the shapes of the learners' policies `[R, ...]`."""
        keys = jax.random.split(jax.random.key(0), len(self.settings.league.roles))
        return jax.eval_shape(jax.vmap(self.policy.init), keys)

    def _restore(self, part: str, shape: Any, step: int) -> Any:
        """Restores one part of a state alone, so that a run whose other parts have another format still plays."""
        with self._checkpoints() as checkpoints:
            return checkpoints.restore(shape, step, {"task": self.settings.task_name}, part=part)[0]

    def _checkpoints(self) -> Checkpoints:
        return Checkpoints(self.folder / run_folder.CHECKPOINTS, read_only=True)


class FileSource:
    """The policy in a file that the command export wrote."""

    def __init__(self, path: str | Path, engine: str | None = None):
        self.path = Path(path)
        self.policy, self._state, self._about = policy_file.load(path)
        try:
            mapping = {"task": self._about["task"]}
            version, self._where = self._about["task_version"], (self._about["role"], self._about["iteration"])
            self._arena_steps = int(self._about["arena_steps"])
        except KeyError as error:
            raise PolicyFileError(f"{path} does not say its {error.args[0]}") from error
        settings = dataclasses.replace(from_mapping(mapping), ppo=self.policy.settings)
        self.settings = _on_engine(settings, engine)
        self.arena = registry.build(self.settings.task, self.settings.physics)
        if version != self.arena.version:
            name = self.settings.task_name
            raise PolicyFileError(f"{path} plays version {version} of {name}; this is version {self.arena.version}")
        needed = (self.arena.observation_size, self.arena.action)
        if (self.policy.observation_size, self.policy.action) != needed:
            raise PolicyFileError(f"{path} does not fit the task that it names, {self.settings.task_name}")

    def newest(self) -> Contestant:
        role, iteration = self._where
        return Contestant(str(self.path), str(role), int(iteration), self._arena_steps, self.policy, self._state)

    def at_fraction(self, share: float) -> Contestant:
        raise SettingError("run", self.path, "holds one policy; its past is in the run's folder")

    def sample_checkpoints(self, count: int) -> list[Contestant]:
        del count
        return [self.newest()]


class ChampionSource(FileSource):
    """A champion of the package; its past are its weaker selves, and the untrained policy."""

    def __init__(self, name: str, engine: str | None = None):
        super().__init__(champions.path_of(name), engine)
        self._name, self._engine = name.partition("/")[0], engine

    def newest(self) -> Contestant:
        return super().newest()._replace(source=self._name)

    def at_fraction(self, share: float) -> Contestant:
        past = {0.0: ""} | {at: name for name, at in champions.SELVES.items()}
        nearest = min(past, key=lambda at: abs(at - share))
        if nearest == 0.0:
            untrained = self.policy.init(jax.random.key(0))
            return self.newest()._replace(iteration=0, arena_steps=0, state=untrained)
        return ChampionSource(f"{self._name}{'/' if past[nearest] else ''}{past[nearest]}", self._engine).newest()

    def sample_checkpoints(self, count: int) -> list[Contestant]:
        shares = [0.0, *sorted(champions.SELVES.values())]
        return [self.at_fraction(share) for share in shares[-count:]]


def open_source(path: str | Path, step: int | None = None, engine: str | None = None) -> Source:
    """Opens a run's folder, an exported file or `champion:<name>`, to be played on `engine`; None: on the run's own.

    Raises SettingError, CheckpointError or PolicyFileError where `path` is none of these, or cannot be used.
    """
    if str(path).startswith(champions.PREFIX):
        require(step is None, "checkpoint", step, f"{path} has no checkpoints; {path}/tenth is an earlier self")
        return ChampionSource(str(path), engine)
    if policy_file.is_policy_file(path):
        require(step is None, "checkpoint", step, f"{path} holds one policy, and no checkpoints")
        return FileSource(path, engine)
    return RunSource(path, step, engine)


def foreign_members(league: LeagueSettings, policy: Policy, task: str) -> list[tuple[PolicyState, bool]]:
    """Returns the policies that `anchors` and `initial_opponents` name, each with whether it is an anchor.

    Raises SettingError, CheckpointError or PolicyFileError for a policy that cannot be used.
    """
    members = []
    for key, paths, anchor in (
        ("anchors", league.anchors, True),
        ("initial_opponents", league.initial_opponents, False),
    ):
        for path in paths:
            source = open_source(path)
            played = source.settings.task_name
            require(played == task, f"league.{key}", path, f"plays {played}")
            own, other = architecture(policy), architecture(source.policy)
            differing = [f"{name} {other[name]}, not {own[name]}" for name in own if own[name] != other[name]]
            require(not differing, f"league.{key}", path, f"has another architecture: {'; '.join(differing)}")
            members.append((source.newest().state, anchor))
    return members


def _on_engine(settings: RunSettings, engine: str | None) -> RunSettings:
    if engine is not None:
        physics = dataclasses.replace(settings.physics, engine=engine)
        physics.validate("physics")
        settings = dataclasses.replace(settings, physics=physics, devices=None)
    return settings.resolved()


def open_all(paths: Iterable[str], engine: str | None = None) -> list[Source]:
    """Opens all sources at `paths`, where a folder may also hold exported files. Raises as `open_source` does."""
    each: list[str | Path] = []
    for path in paths:
        files = [] if run_folder.finished_steps(Path(path)) else sorted(Path(path).glob(f"*{policy_file.SUFFIX}"))
        each += files or [path]
    opened = [open_source(path, engine=engine) for path in each]
    first = opened[0]
    for path, other in zip(each, opened, strict=True):
        task, wanted = other.settings.task_name, first.settings.task_name
        require(task == wanted, "runs", path, f"plays {task}, and {each[0]} {wanted}")
        fits = (other.arena.observation_size, other.arena.num_agents)
        fits = fits == (first.arena.observation_size, first.arena.num_agents)
        require(fits, "runs", path, f"has other observations, or another number of agents, than {each[0]}")
    return opened
