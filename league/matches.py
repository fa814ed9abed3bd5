"""The matches in play, as rows for the learner: M mirror arenas, all of whose A agents learn, then L league arenas.

In a league arena one agent, in a seat drawn for each match, is the learner and the others are members of the pool. A
match keeps its members from the first step to the last.
"""

import functools

import chex
import jax
import jax.numpy as jnp
from flax import struct

from league import history, matchmaking, opponents, results
from league.history import End, History
from league.pool import Pool
from mjx_arena.batch import Bank, BatchedArena, Transition, where
from mjx_arena.types import ArenaState, Box, TimeStep
from ppo.policy import Policy
from ppo.rollout import RowStep, RowView


class Matches(struct.PyTreeNode):
    """The matches in play in N = M + L arenas, of which the first M are mirror arenas."""

    arena: ArenaState  # [N, ...]
    observation: jax.Array  # [N, A, O]
    alive: jax.Array  # [N, A] bool
    action_mask: jax.Array | None  # [N, A, n] bool
    episode_return: jax.Array  # [N, A] undiscounted, since the match began
    seat: jax.Array  # [L] int32: the learner's seat in each league arena
    slot: jax.Array  # [L, A - 1] int32: the members in the seats after it, in cyclic order
    generation: jax.Array  # [L, A - 1] int32: `Pool.generation` of those slots when the match began
    history: History | None  # the last steps, for finding out why an arena broke; None: not kept


class Frame(struct.PyTreeNode):
    """What a film shows of one arena at one step."""

    pose: jax.Array  # [nq] before the step
    ended: jax.Array  # [] bool: the step ends the match


class StepStatistics(struct.PyTreeNode):
    """Sums over one device's arenas in one step."""

    results: jax.Array  # [K, 3] int32 the learner's wins, draws and losses by slot
    by_side: jax.Array  # [S, K, 3] int32 the same by the learner's side; S is 0 in a game of one side
    matches: jax.Array  # [] rated matches that ended, in all N arenas
    draws: jax.Array  # [] of those, drawn ones
    exercises: jax.Array  # [] unrated matches that ended
    exercise_survivals: jax.Array  # [] of those, the ones that the time limit ended
    match_steps: jax.Array  # [] sum of the lengths of matches that ended, rated or not
    agent_episodes: jax.Array  # [] agents whose episode ended: with their match, or by elimination
    returns: jax.Array  # [] sum of those agents' returns
    broken: jax.Array  # [] arenas that left the finite numbers
    reward: jax.Array  # [] mean over arenas and living agents
    metrics: dict[str, jax.Array]  # {name: []} means over arenas; of names in `last/`, sums over matches that ended
    frame: Frame | None  # of the first arena; for films


class MatchRunner:
    """The matches of one device during one iteration, as a `ppo.rollout.Environment`."""

    def __init__(
        self,
        batch: BatchedArena,
        policy: Policy,
        num_mirror: int,
        tile_rows: int,
        pool: Pool,
        probability: jax.Array,
        bank: Bank,
        history_steps: int,
    ):
        """Takes the `probability` `[K]` of each member of `pool`; `tile_rows` is that of `opponents.apply_by_tiles`.

        New matches keep `history_steps` control steps of each arena.
        """
        self.batch, self.policy, self.num_mirror, self.tile_rows = batch, policy, num_mirror, tile_rows
        self.pool, self.probability, self.bank = pool, probability, bank
        self.history_steps = history_steps

    def view(self, carry: Matches) -> RowView:
        """Returns what the learner's rows `[R, ...]` see now."""
        mask = carry.action_mask
        return RowView(
            observation=self._learner_rows(carry.observation, carry.seat),
            alive=self._learner_rows(carry.alive, carry.seat),
            action_mask=None if mask is None else self._learner_rows(mask, carry.seat),
        )

    def step(self, carry: Matches, action: jax.Array, key: chex.PRNGKey) -> tuple[Matches, RowStep, StepStatistics]:
        """Plays one step with the learner's actions `[R, ...]` and sampled actions of the members. Consumes `key`."""
        k_members, k_bank, k_draw = jax.random.split(key, 3)
        joint = self._join(carry, action, self._members_act(carry, k_members))
        arena, transition = self.batch.step(carry.arena, joint, self.bank, k_bank)
        episode_return = carry.episode_return + transition.timestep.reward
        statistics = self._statistics(carry, transition, arena, episode_return)
        seat, slot, generation = self._redraw(carry, transition.ended[self.num_mirror :], k_draw)
        row_step = self._row_step(carry, transition)
        carry = Matches(
            arena=arena,
            observation=transition.observation,
            alive=transition.alive,
            action_mask=transition.action_mask,
            episode_return=where(transition.ended, jnp.zeros_like(episode_return), episode_return),
            seat=seat,
            slot=slot,
            generation=generation,
            history=self._remembered(carry, joint, transition),
        )
        return carry, row_step, statistics

    def start(self, key: chex.PRNGKey, num_arenas: int) -> Matches:
        """Starts N = `num_arenas` matches. Consumes `key`."""
        k_reset, k_draw = jax.random.split(key)
        arena, timestep = self.batch.reset(k_reset, num_arenas)
        shape = (num_arenas - self.num_mirror, self.batch.arena.num_agents - 1)
        empty = jnp.zeros(shape, jnp.int32)
        kind = self.batch.arena.action
        action = jnp.zeros((*timestep.alive.shape, *_action_shape(kind)), _action_dtype(kind))
        matches = Matches(
            arena=arena,
            observation=timestep.observation,
            alive=timestep.alive,
            action_mask=timestep.action_mask,
            episode_return=jnp.zeros_like(timestep.reward),
            seat=empty[:, 0] if shape[1] else jnp.zeros(shape[0], jnp.int32),
            slot=empty,
            generation=empty,
            history=None,
        )
        seat, slot, generation = self._redraw(matches, jnp.ones(shape[0], bool), k_draw)
        matches = matches.replace(seat=seat, slot=slot, generation=generation)
        if self.history_steps == 0:
            return matches
        moment = history.moment_of(arena, action, timestep)
        describe = functools.partial(self._end, matches, arena, timestep)
        return matches.replace(history=history.begin(self.history_steps, moment, timestep.metrics, describe))

    def _learner_rows(self, x: jax.Array, seat: jax.Array) -> jax.Array:
        """Turns `[N, A, ...]` into `[R, ...]`, R = M A + L: all agents of mirror arenas, the learner of others."""
        mirror, league = x[: self.num_mirror], x[self.num_mirror :]
        own = league[jnp.arange(league.shape[0]), seat]
        return jnp.concatenate([mirror.reshape(mirror.shape[0] * mirror.shape[1], *x.shape[2:]), own])

    def _other_seats(self, seat: jax.Array) -> jax.Array:
        """Returns the seats after the learner's, in cyclic order: `[L, A - 1]`."""
        num_agents = self.batch.arena.num_agents
        return (seat[:, None] + jnp.arange(1, num_agents)) % num_agents

    def _members_act(self, carry: Matches, key: chex.PRNGKey) -> jax.Array:
        """Samples the members' actions `[L, A - 1, ...]`."""
        seats = self._other_seats(carry.seat)
        if seats.size == 0:  # without members, `apply_by_tiles` would still compute K tiles
            kind = self.batch.arena.action
            return jnp.zeros((*seats.shape, *_action_shape(kind)), _action_dtype(kind))

        def rows(x):
            own = jnp.take_along_axis(x[self.num_mirror :], seats.reshape(*seats.shape, *[1] * (x.ndim - 2)), 1)
            return own.reshape(seats.size, *x.shape[2:])

        mask = None if carry.action_mask is None else rows(carry.action_mask)

        def act(member, inputs):
            return self.policy.distribution(member, *inputs)

        distribution = opponents.apply_by_tiles(
            act, self.pool.policies, carry.slot.reshape(-1), (rows(carry.observation), mask), self.tile_rows
        )
        action = distribution.sample(key)
        return action.reshape(*seats.shape, *action.shape[1:])

    def _join(self, carry: Matches, learner: jax.Array, members: jax.Array) -> jax.Array:
        """Joins the learner's actions `[R, ...]` and the members' `[L, A - 1, ...]` to the arenas' `[N, A, ...]`."""
        num_agents = self.batch.arena.num_agents
        split = self.num_mirror * num_agents
        mirror = learner[:split].reshape(self.num_mirror, num_agents, *learner.shape[1:])
        by_position = jnp.concatenate([learner[split:, None], members], 1)  # the learner first, then the seats after it
        position = (jnp.arange(num_agents) - carry.seat[:, None]) % num_agents
        index = position.reshape(*position.shape, *[1] * (by_position.ndim - 2))
        return jnp.concatenate([mirror, jnp.take_along_axis(by_position, index, 1)])

    def _row_step(self, carry: Matches, transition: Transition) -> RowStep:
        timestep, seat, num_agents = transition.timestep, carry.seat, self.batch.arena.num_agents

        def per_agent(x):
            return self._learner_rows(jnp.broadcast_to(x[:, None], (x.shape[0], num_agents)), seat)

        # For an agent that is eliminated the episode ends here, although the match goes on.
        eliminated = carry.alive & ~timestep.alive & ~transition.broken[:, None]
        return RowStep(
            reward=self._learner_rows(timestep.reward, seat),
            terminated=self._learner_rows(timestep.terminated[:, None] | eliminated, seat),
            truncated=per_agent(timestep.truncated),
            final_observation=self._learner_rows(timestep.observation, seat),
            valid=per_agent(~transition.broken),
        )

    def _redraw(self, carry: Matches, ended: jax.Array, key: chex.PRNGKey):
        """Draws a seat `[L]`, and members `[L, A - 1]` with their generations, where a match has `ended` `[L]`."""
        num_agents = self.batch.arena.num_agents
        point = jax.random.uniform(key, (carry.seat.shape[0], num_agents))
        seat = jnp.floor(point[:, 0] * num_agents).astype(jnp.int32)
        slot = matchmaking.draw(self.probability, point[:, 1:])
        generation = self.pool.generation[slot]
        return (
            jnp.where(ended, seat, carry.seat),
            where(ended, slot, carry.slot),
            where(ended, generation, carry.generation),
        )

    def _remembered(self, carry: Matches, action: jax.Array, transition: Transition) -> History | None:
        """Returns the history after a step with `action` `[N, A, ...]`, in which arenas may have broken."""
        if carry.history is None:
            return None
        state, timestep = transition.played
        moment = history.moment_of(carry.arena, action, timestep)
        describe = functools.partial(self._end, carry, state, timestep)
        return carry.history.after(moment, transition.broken, timestep.metrics, describe)

    def _end(self, carry: Matches, state: ArenaState, timestep: TimeStep) -> End:
        """Returns `[N, ...]` who played, and what a step made of each arena."""
        learner = jnp.full(self.num_mirror * self.batch.arena.num_agents + carry.seat.shape[0], history.LEARNER)
        player = self._join(carry, learner, carry.slot)
        nothing = jnp.zeros(player.shape[0], jnp.int32)
        return End(
            state=history.numbers(state),
            observation=jnp.stack([carry.observation, timestep.observation], 1),
            player=player,
            role=self.pool.role[player],
            snapshot=self.pool.iteration[player],
            arena=jnp.arange(player.shape[0]),
            step=nothing,
            length=nothing,
        )

    def _statistics(
        self, carry: Matches, transition: Transition, arena: ArenaState, episode_return: jax.Array
    ) -> StepStatistics:
        timestep, league = transition.timestep, slice(self.num_mirror, None)
        outcome = timestep.outcome[league]
        learner = outcome[jnp.arange(outcome.shape[0]), carry.seat]
        score = learner[:, None] - jnp.take_along_axis(outcome, self._other_seats(carry.seat), 1)
        finished = transition.ended & ~transition.broken
        rated, exercise = finished & timestep.rated, finished & ~timestep.rated
        counted = jnp.broadcast_to(rated[league, None], score.shape)
        by_slot = functools.partial(results.count, carry.slot, carry.generation, self.pool.generation, score)
        counts, game = by_slot(counted), self.batch.arena
        on_side = jnp.array(game.sides)[carry.seat][:, None]
        by_side = [by_slot(counted & (on_side == side)) for side in range(len(game.names_of_sides))]
        alive = timestep.alive.astype(jnp.float32)
        episode_over = carry.alive & (finished[:, None] | (~timestep.alive & ~transition.broken[:, None]))
        # The state of a match that ended is replaced already, so its length is the old step count plus this step.
        return StepStatistics(
            results=counts,
            by_side=jnp.stack(by_side) if by_side else jnp.zeros((0, *counts.shape), jnp.int32),
            matches=rated.sum(),
            draws=jnp.sum(rated & (timestep.outcome == 0).all(1)),
            exercises=exercise.sum(),
            exercise_survivals=jnp.sum(exercise & timestep.truncated),
            match_steps=jnp.sum(jnp.where(finished, carry.arena.step_count + 1, 0)),
            agent_episodes=episode_over.sum(),
            returns=jnp.sum(jnp.where(episode_over, episode_return, 0)),
            broken=transition.broken.sum(),
            reward=jnp.sum(timestep.reward * alive) / jnp.maximum(alive.sum(), 1),
            metrics={
                name: jnp.sum(value * finished) if name.startswith("last/") else value.mean()
                for name, value in timestep.metrics.items()
            },
            frame=Frame(self.batch.arena.pose(jax.tree.map(lambda x: x[0], carry.arena)), transition.ended[0]),
        )


def _action_shape(action) -> tuple[int, ...]:
    return (action.size,) if isinstance(action, Box) else ()


def _action_dtype(action) -> jnp.dtype:
    return jnp.dtype(jnp.float32 if isinstance(action, Box) else jnp.int32)
