"""Plays RLGym 2 with a policy of car soccer that `export.py format=rlgym` wrote. Needs NumPy and nothing else.

So this file may also be copied next to a program that has RLGym, but not this project. It reads the state of a match by
the names of RLGym's `GameState`; all that it knows of the game comes from the policy's file. docs/exports.md says what
it takes for the few things that RLGym does not tell.
"""

import json
from typing import Any

import numpy as np

_HULL_MARGIN = 2.0  # uu above a surface at which RocketSim still reports that a hull lies on it
_ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "swish": lambda x: x / (1 + np.exp(-x)),
}


def load(path: Any, sampled: bool | None = None, seed: int | None = None) -> "Bot":
    """Returns the bot in the file `path`, a new one for each match that is played at the same time.

    It takes the most likely actions, or, if `sampled`, draws them with a generator of `seed`; None: as its file says.
    Raises ValueError for a file that is no such bot.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(str(arrays.get("about", "{}")))
    if "rlgym" not in about:
        raise ValueError(f"{path} is no bot for RLGym; write one with export.py format=rlgym")
    return Bot(arrays, about, about["rlgym"]["sampled"] if sampled is None else sampled, seed)


class Bot:
    """An observation builder and an action parser of RLGym in one, with the policy that belongs to them.

    Use one object as both: an observation holds the controls of the step before, and what a car may do depends on it.
    """

    def __init__(self, arrays: dict[str, np.ndarray], about: dict[str, Any], sampled: bool, seed: int | None):
        self.about, self.sampled = about, sampled
        self._arrays, self._rng, self._data = arrays, np.random.default_rng(seed), about["rlgym"]
        self._depth = len(about["network"]["actor_hidden"])
        self._activation = _ACTIVATIONS[about["network"]["activation"]]
        self._scale = 1 / np.sqrt(np.maximum(arrays["normalizer.variance"], 1e-8))
        self._table = None if self._data["table"] is None else np.array(self._data["table"], np.float32)
        self._forget([], 0)

    # What RLGym calls.

    def get_obs_space(self, agent: Any) -> tuple[str, int]:
        """Returns the kind and the size of an observation."""
        del agent
        return "real", self.about["observation_size"]

    def get_action_space(self, agent: Any) -> tuple[str, int]:
        """Returns the kind and the size of an action: a row of the table, or controls."""
        del agent
        return ("discrete" if self._table is not None else "continuous"), self.about["action"]["size"]

    def reset(self, agents: list, initial_state: Any, shared_info: dict) -> None:
        """Forgets the last match. Raises ValueError for teams of another size than the policy was trained in."""
        del shared_info
        blue = sum(car.is_blue for car in initial_state.cars.values())
        size = self._data["team_size"]
        if (blue, len(initial_state.cars) - blue) != (size, size):
            raise ValueError(f"this bot plays {size} against {size}")
        self._forget(agents, initial_state.tick_count)

    def build_obs(self, agents: list, state: Any, shared_info: dict) -> dict[Any, np.ndarray]:
        """Returns the observation `[O]` of each agent; to be called once after `reset`, and once after each step."""
        del shared_info
        left = 1 - (state.tick_count - self._start) / self._data["ticks_per_second"] / self._data["scales"]["game"]
        found = {}
        for agent in agents:
            seen = _Scene(state, agent, self._data, self._held[agent], left)
            newest = seen.observation()
            frames = [newest, *self._frames.get(agent, [newest] * self._data["frames"])][: self._data["frames"]]
            self._frames[agent], self.legal[agent] = frames, self._legal_rows(state.cars[agent], seen)
            found[agent] = np.concatenate(frames)
        return found

    def parse_actions(self, actions: dict, state: Any, shared_info: dict) -> dict[Any, np.ndarray]:
        """Returns the controls `[ticks, 8]` of each agent. A row that is not legal stands for no key at all."""
        del state, shared_info
        return {agent: self._controls(agent, np.ravel(action)) for agent, action in actions.items()}

    # The policy.

    def act(self, observations: dict, legal: dict | None = None) -> dict[Any, np.ndarray]:
        """Returns actions for `env.step`, of every agent in `observations`.

        `legal` are the rows that each may choose, `[90]` bool; None: as the last `build_obs` found, as `self.legal`.
        """
        rows = self.legal if legal is None else legal
        return {agent: self._action(observation, rows[agent]) for agent, observation in observations.items()}

    def _action(self, observation: np.ndarray, legal: np.ndarray | None) -> np.ndarray:
        x = np.clip((observation - self._arrays["normalizer.mean"]) * self._scale, -10, 10)
        for layer in range(self._depth + 1):
            name = f"params.actor.params.Dense_{layer}"
            x = x @ self._arrays[f"{name}.kernel"] + self._arrays[f"{name}.bias"]
            x = self._activation(x) if layer < self._depth else x
        if self._table is None:
            low, high = self.about["network"]["min_log_std"], self.about["network"]["max_log_std"]
            deviation = np.exp(np.clip(self._arrays["params.log_std"], low, high))
            return x + deviation * self._rng.normal(size=x.shape) if self.sampled else x
        logits = np.where(np.asarray(legal), x, -1e9)
        return np.array([np.argmax(logits + self._rng.gumbel(size=x.shape) if self.sampled else logits)])

    def _forget(self, agents: list, tick: int) -> None:
        self._start, self._frames, self.legal = tick, {}, {}
        self._held = {agent: np.zeros(8, np.float32) for agent in agents}
        self._sticky = {agent: np.zeros(3, int) for agent in agents}

    def _legal_rows(self, car: Any, seen: "_Scene") -> np.ndarray | None:
        """Returns the rows that have an effect, `[90]` bool, as `mjx_arena.tasks.car_soccer.actions.legal` does."""
        if self._table is None:
            return None
        jumps, handbrake = self._table[:, 5] > 0, self._table[:, 7] > 0
        may_jump = car.on_ground or car.is_jumping or car.has_flip or seen.hull_touches
        other = np.arange(len(self._table)) < self._data["ground_rows"] if car.on_ground else ~handbrake
        return np.where(jumps, may_jump, other)

    def _controls(self, agent: Any, action: np.ndarray) -> np.ndarray:
        if self._table is None:
            values = np.clip(action, -1, 1).astype(np.float32)
        else:
            values = self._table[int(action[0])] * bool(self.legal[agent][int(action[0])])
        keys, left = values[5:] > 0, self._sticky[agent]
        left = np.where(keys & (left == 0), self._data["sticky_keys"], left)
        values = np.concatenate([values[:5], keys | (left > 0)]).astype(np.float32)
        self._held[agent], self._sticky[agent] = values, np.maximum(left - 1, 0)
        return np.repeat(values[None], self._data["ticks"], 0)


class _Scene:
    """A match as one car sees it, turned so that its team attacks towards +y; as the game's own `scene.py` has it.

    `held` `[8]` are the car's last controls, `left` is the share of the game that is left.
    """

    def __init__(self, state: Any, agent: Any, data: dict[str, Any], held: np.ndarray, left: float):
        self._data, self._scales, self._state, self._held, self._left = data, data["scales"], state, held, left
        self._car = state.cars[agent]
        orange = self._car.is_orange
        self._sign = -1.0 if orange else 1.0
        self._ball = state.inverted_ball if orange else state.ball
        self._body = self._seen(self._car)
        names = [name for name, car in state.cars.items() if car.is_orange == orange]
        others = [name for name in state.cars if name not in names]
        place = names.index(agent)
        self._allies = [state.cars[name] for name in names[place + 1 :] + names[:place]]
        self._opponents = [state.cars[name] for name in others[place:] + others[:place]]
        self.hull_touches = self._hull_gap() <= _HULL_MARGIN

    def observation(self) -> np.ndarray:
        """Returns one frame `[o]`."""
        parts = [getattr(self, f"_{each['group']}_group")() for each in self._data["observation"]]
        return np.concatenate(parts).astype(np.float32)

    def _seen(self, car: Any) -> Any:
        return car.inverted_physics if self._car.is_orange else car.physics

    def _to_car(self, vector: np.ndarray) -> np.ndarray:
        """Converts vectors `[..., 3]` to the car's own axes."""
        return vector @ self._body.rotation_mtx

    def _ball_group(self) -> np.ndarray:
        scales, ball = self._scales, self._ball
        place, velocity = ball.position / scales["place"], ball.linear_velocity / scales["ball_speed"]
        return np.concatenate([place, velocity, ball.angular_velocity / scales["ball_spin"]])

    def _self_group(self) -> np.ndarray:
        scales, body = self._scales, self._body
        parts = [body.position / scales["place"], body.forward, body.up, body.linear_velocity / scales["car_speed"]]
        spin, amount = self._to_car(body.angular_velocity) / scales["car_spin"], self._car.boost_amount
        return np.concatenate([*parts, spin, [amount / scales["boost"]]])

    def _context_group(self) -> np.ndarray:
        scales, offset = self._scales, self._ball.position - self._body.position
        drift, distance = self._ball.linear_velocity - self._body.linear_velocity, np.linalg.norm(offset)
        rest = [distance / scales["distance"], np.exp(-distance / scales["near"]), self._left]
        parts = [self._to_car(offset) / scales["distance"], self._to_car(drift) / scales["car_speed"], rest]
        return np.concatenate(parts)

    def _previous_group(self) -> np.ndarray:
        return self._held

    def _masks_group(self) -> np.ndarray:
        car = self._car
        return np.array([car.on_ground, car.has_flip, car.has_flipped, self.hull_touches, car.is_supersonic], float)

    def _allies_group(self) -> np.ndarray:
        return self._others(self._allies)

    def _opponents_group(self) -> np.ndarray:
        return self._others(self._opponents)

    def _others(self, cars: list) -> np.ndarray:
        found, scales = [np.zeros(0)], self._scales
        for car in cars:
            body = self._seen(car)
            offset = self._to_car(body.position - self._body.position) / scales["distance"]
            drift = self._to_car(body.linear_velocity - self._body.linear_velocity) / scales["car_speed"]
            seen = np.concatenate([offset, drift, self._to_car(body.forward)]) * (not car.is_demoed)
            found += [seen, [car.boost_amount / scales["boost"], car.on_ground, car.is_demoed]]
        return np.concatenate(found)

    def _pads_group(self) -> np.ndarray:
        pads = np.array(self._data["pads"], np.float32)
        places, big, timers = pads[:, :2] * self._sign, pads[:, 2], self._state.boost_pad_timers
        found = []
        for place in (self._body.position[:2], self._ball.position[:2]):
            # Of pads at equal distance the ones behind the team and to its left come first.
            order = np.linalg.norm(places - place, axis=1) + places @ [1e-6, 2e-6]
            nearest = np.argsort(order, kind="stable")[: self._data["nearest_pads"]]
            offset = np.zeros((len(nearest), 3))
            offset[:, :2] = places[nearest] - self._body.position[:2]
            flat = self._to_car(offset)[:, :2] / self._scales["distance"]
            found.append(np.column_stack([flat, timers[nearest] / self._scales["pad_timer"], big[nearest]]))
        return np.concatenate(found).ravel()

    def _goals_group(self) -> np.ndarray:
        length, height = self._scales["place"][1], self._data["field"]["goal"][2] / 2
        goals = np.array([[0, length, height], [0, -length, height]])
        parts = [self._to_car(goals - self._body.position), goals - self._ball.position]
        return np.concatenate(parts).ravel() / self._scales["distance"]

    def _hull_gap(self) -> float:
        """Returns the distance, uu, from the hull to the nearest flat surface of the field, which RLGym does not tell.

        The surfaces are floor, ceiling, side, back and cut corner, or those of a goal, as in the game's `field.py`.
        """
        field, hull, turns = self._data["field"], self._data["hull"], self._body.rotation_mtx
        centre = self._body.position + turns @ np.array(hull["centre"])
        half = np.array(hull["size"]) / 2
        (x, y), z = np.abs(centre[:2]), centre[2]
        (width, length, height), (goal_width, depth, goal_height) = self._scales["place"], field["goal"]
        beyond = y - length
        if beyond > max(0, x - goal_width, z - goal_height):
            width, height, back = goal_width, goal_height, depth - beyond
        else:
            back = np.inf if x < goal_width and z < goal_height else -beyond
        corner = np.array([*np.sign(centre[:2]), 0]) * 0.5**0.5
        reach, corner_reach = np.abs(turns) @ half, np.abs(corner @ turns) @ half
        flat = [z - reach[2], height - z - reach[2], width - x - reach[0], back - reach[1]]
        return min(*flat, (field["corner"] - x - y) * 0.5**0.5 - corner_reach)
