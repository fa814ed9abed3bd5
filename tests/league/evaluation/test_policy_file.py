"""A policy survives its file bit for bit, and nothing else passes for one."""

import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from league.evaluation import policy_file
from league.evaluation.policy_file import PolicyFileError
from mjx_arena.types import Box, Discrete
from ppo.policy import Policy
from ppo.settings import PPOSettings

BOX = Box(2)


def policy_of(action=BOX):
    policy = Policy(5, action, PPOSettings(actor_hidden=(4, 3), critic_hidden=(6,), activation="elu", min_log_std=-2.0))
    state = policy.init(jax.random.key(1))
    return policy, jax.tree.map(lambda x: x + 1, state)  # so that nothing is what a fresh one would be


@pytest.fixture
def saved(tmp_path):
    policy, state = policy_of()
    policy_file.save(tmp_path / "good.npz", policy, state, {"task": {"name": "toy"}, "iteration": 7})
    return tmp_path / "good.npz"


@pytest.mark.parametrize("action", [BOX, Discrete(3)], ids=["box", "discrete"])
def test_a_policy_comes_back_bit_for_bit(tmp_path, action):
    policy, state = policy_of(action)
    policy_file.save(tmp_path / "policy.npz", policy, state, {"task": {"name": "toy"}, "iteration": 7})
    loaded, found, about = policy_file.load(tmp_path / "policy.npz")
    assert jax.tree.structure(found) == jax.tree.structure(state)
    jax.tree.map(np.testing.assert_array_equal, found, state)
    assert policy_file.architecture(loaded) == policy_file.architecture(policy)
    assert about["task"] == {"name": "toy"} and about["iteration"] == 7
    observation = jax.random.normal(jax.random.key(2), (6, 5))
    np.testing.assert_array_equal(loaded.value(found, observation), policy.value(state, observation))
    assert [path.name for path in tmp_path.iterdir()] == ["policy.npz"]


@pytest.mark.parametrize("place", np.linspace(0, 1, 12, endpoint=False))
def test_a_damaged_file_is_refused_by_name_or_still_right(saved, place):
    """Bytes that belong to nothing may change; those of the arrays and their description may not."""
    content = bytearray(saved.read_bytes())
    at = int(place * len(content))
    content[at : at + 4] = bytes(byte ^ 0x55 for byte in content[at : at + 4])
    saved.write_bytes(content)
    try:
        _, found, _ = policy_file.load(saved)
    except PolicyFileError as error:
        assert "good.npz" in str(error)
    else:
        jax.tree.map(np.testing.assert_array_equal, found, policy_of()[1])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_refused_by_name(saved, share):
    saved.write_bytes(saved.read_bytes()[: int(share * saved.stat().st_size)])
    with pytest.raises(PolicyFileError, match=r"good\.npz cannot be read"):
        policy_file.load(saved)


class Trap:
    """Whoever unpickles this runs code."""

    def __reduce__(self):
        return (pytest.fail, ("code out of the file was run",))


def _foreign(folder):
    np.savez(folder / "plain.npz", a=np.zeros(3))
    np.savez(folder / "pickled.npz", about=np.array([Trap()], dtype=object))
    (folder / "pickle.npz").write_bytes(pickle.dumps(Trap()))
    (folder / "text.npz").write_text("hello")
    np.savez(folder / "other.npz", about=np.array(json.dumps({"format": "other 1"})))
    return ("plain", "pickled", "pickle", "text", "other", "missing")


def test_foreign_files_are_refused_and_run_nothing(tmp_path):
    for name in _foreign(tmp_path):
        with pytest.raises(PolicyFileError, match=name):
            policy_file.load(tmp_path / f"{name}.npz")


CHANGES = {
    "another network": lambda about, arrays: about["network"].update(actor_hidden=[4, 4]),
    "an unknown activation": lambda about, arrays: about["network"].update(activation="eval"),
    "no network": lambda about, arrays: about.pop("network"),
    "an unknown action": lambda about, arrays: about["action"].update(kind="exec"),
    "an array too many": lambda about, arrays: arrays.update(extra=np.zeros(2)),
    "an array too few": lambda about, arrays: arrays.pop("normalizer.mean"),
    "another type": lambda about, arrays: arrays.update({"normalizer.mean": np.zeros(5, np.float64)}),
    "not finite": lambda about, arrays: arrays.update({"normalizer.mean": np.full(5, np.nan, np.float32)}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_contradicts_itself_is_refused_by_name(saved, change):
    with np.load(saved) as archive:
        arrays = {name: archive[name] for name in archive.files}
    about = json.loads(str(arrays.pop("about")))
    change(about, arrays)
    np.savez(saved, about=np.array(json.dumps(about)), **arrays)
    with pytest.raises(PolicyFileError, match=r"good\.npz"):
        policy_file.load(saved)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    policy, state = policy_of()
    with pytest.raises(PolicyFileError, match="cannot write .*policy.npz"):
        policy_file.save(tmp_path / "nowhere" / "policy.npz", policy, state, {})


def test_a_file_plays_as_its_policy_does(tmp_path):
    policy, state = policy_of(Discrete(4))
    policy_file.save(tmp_path / "p.npz", policy, state, {"task": {"name": "toy"}})
    seen, mask = jax.random.normal(jax.random.key(1), (64, 5)), jnp.arange(4) != jnp.arange(64)[:, None] % 4
    key = jax.random.key(2)
    sampled, likely = (policy_file.player(tmp_path / "p.npz", sampled)(seen, mask, key) for sampled in (True, False))
    distribution = policy.distribution(state, seen, mask)
    np.testing.assert_array_equal(sampled, distribution.sample(key))
    np.testing.assert_array_equal(likely, distribution.mode())
    assert (sampled != likely).any()
    with pytest.raises(PolicyFileError, match="plays toy, with 5 observations; here are 6"):
        policy_file.player(tmp_path / "p.npz")(jnp.zeros((2, 6)), None, key)
