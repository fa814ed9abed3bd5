import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import struct
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from league.run.checkpoints import CheckpointError, Checkpoints
from mjx_arena import devices


@struct.dataclass
class State:
    iteration: jax.Array
    key: chex.PRNGKey
    params: dict
    optimizer: optax.OptState
    arenas: jax.Array
    nothing: jax.Array


def make_state(seed=0, width=3):
    mesh = devices.make_mesh()
    params = {"w": jax.random.normal(jax.random.key(seed), (2, width)), "b": jnp.zeros(width, jnp.bfloat16)}
    arenas = jax.random.split(jax.random.key(seed + 1), 4 * mesh.size)
    return State(
        iteration=jnp.int32(seed),
        key=jax.random.key(seed),
        params=params,
        optimizer=optax.adam(1e-3).init(params),
        arenas=jax.device_put(arenas, NamedSharding(mesh, P(devices.AXIS))),
        nothing=jnp.zeros((4, 0)),
    )


def shapes_of(state):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state)


def data(tree):
    is_key = jax.dtypes.prng_key
    return jax.tree.map(lambda x: jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, is_key) else x, tree)


@pytest.fixture
def checkpoints(tmp_path):
    with Checkpoints(tmp_path / "checkpoints", keep_interval=4) as opened:
        yield opened


@pytest.mark.parametrize("describe_target", [lambda state: state, shapes_of])
def test_restores_what_was_saved_bit_for_bit(checkpoints, describe_target):
    state = make_state(seed=7)
    checkpoints.save(7, state, {"task": "toy", "versions": {"jax": "1"}})

    restored, meta = checkpoints.restore(describe_target(make_state(seed=1)))

    chex.assert_trees_all_equal(data(restored), data(state))
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert restored.key.dtype == state.key.dtype and restored.params["b"].dtype == jnp.bfloat16
    assert restored.arenas.sharding.is_equivalent_to(state.arenas.sharding, 1)
    assert meta == checkpoints.meta() == {"task": "toy", "versions": {"jax": "1"}}


def test_a_part_restores_whatever_the_rest_of_the_state_looks_like(checkpoints):
    state = make_state(seed=7)
    checkpoints.save(7, state, {})

    params, _ = checkpoints.restore(shapes_of(make_state().params), part="params")

    chex.assert_trees_all_equal(params, state.params)
    with pytest.raises(CheckpointError, match=r"params\.w is float32\[2, 3\], wanted float32\[2, 5\]"):
        checkpoints.restore(make_state(width=5).params, part="params")
    with pytest.raises(CheckpointError, match=r"policy\.b is not in it"):
        checkpoints.restore(state.params, part="policy")


def test_keeps_the_latest_two_and_every_fourth(checkpoints):
    for step in range(8):
        checkpoints.save(step, make_state(), {})
    assert checkpoints.steps() == [0, 4, 6, 7]
    assert checkpoints.latest_step() == 7


def test_an_existing_step_is_not_overwritten_silently(checkpoints):
    checkpoints.save(3, make_state(), {})
    with pytest.raises(CheckpointError, match="cannot save checkpoint 3"):
        checkpoints.save(3, make_state(), {})


def test_going_on_from_an_earlier_step_drops_the_later_ones(checkpoints):
    for step in (1, 2, 3):
        checkpoints.save(step, make_state(seed=step), {})
    assert checkpoints.drop_later(2) == [3]
    checkpoints.save(3, make_state(seed=9), {})
    assert checkpoints.restore(make_state())[0].iteration == 9


def test_other_shapes_and_dtypes_are_refused_by_name(checkpoints):
    checkpoints.save(1, make_state(width=3), {})
    with pytest.raises(CheckpointError, match=r"\.mu\.w is float32\[2, 3\], wanted float32\[2, 5\].* 2 more"):
        checkpoints.restore(make_state(width=5))
    other = make_state().replace(iteration=jnp.float32(0))
    with pytest.raises(CheckpointError, match=r"iteration is int32\[\], wanted float32\[\]"):
        checkpoints.restore(other)


def test_other_trees_are_refused_by_name(checkpoints):
    checkpoints.save(1, make_state(), {})
    target = make_state().replace(params={"w": jnp.zeros((2, 3)), "extra": jnp.zeros(3)})
    with pytest.raises(CheckpointError, match=r"params\.b is not wanted; params\.extra is not in it"):
        checkpoints.restore(target)


def test_another_task_is_refused(checkpoints):
    checkpoints.save(1, make_state(), {"task": "sumo"})
    with pytest.raises(CheckpointError, match="its task is sumo, wanted duel"):
        checkpoints.restore(make_state(), expected={"task": "duel"})


def flip_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def biggest_file(folder):
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def damage(kind, step):
    if kind == "flipped byte":
        flip_byte(biggest_file(step / "state" / "d"))
    elif kind == "cut short":
        path = biggest_file(step / "state" / "d")
        path.write_bytes(path.read_bytes()[:10])
    elif kind == "lost arrays":
        for path in (step / "state" / "ocdbt.process_0").rglob("*"):
            if path.is_file():
                path.unlink()
        for path in (step / "state" / "d").rglob("*"):
            path.unlink()
    elif kind == "broken meta":
        (step / "meta" / "metadata").write_text("{")
    elif kind == "other meta":
        (step / "meta" / "metadata").write_text(json.dumps({"user": {}}))


@pytest.mark.parametrize("kind", ["flipped byte", "cut short", "lost arrays", "broken meta", "other meta"])
def test_damage_is_refused_and_the_step_before_it_named(checkpoints, kind):
    checkpoints.save(1, make_state(seed=1), {})
    checkpoints.save(2, make_state(seed=2), {})
    damage(kind, checkpoints.folder / "2")

    with pytest.raises(CheckpointError, match=r"checkpoint 2 in .* is damaged \(.*resume_step=1"):
        checkpoints.restore(make_state())
    assert checkpoints.restore(make_state(), step=1)[0].iteration == 1


def test_contents_that_changed_unnoticed_by_the_storage_are_refused(checkpoints):
    checkpoints.save(1, make_state(), {})
    metadata = checkpoints.folder / "1" / "meta" / "metadata"
    record = json.loads(metadata.read_text())
    record["arrays"]["params.w"][2] += 1
    metadata.write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match=r"other contents than were saved in params\.w.*there is none before it"):
        checkpoints.restore(make_state())


def test_a_killed_save_is_ignored_and_cleaned(checkpoints):
    checkpoints.save(1, make_state(seed=1), {})
    leftover = checkpoints.folder / "2.orbax-checkpoint-tmp"
    leftover.mkdir()
    (leftover / "half").write_text("x")

    with Checkpoints(checkpoints.folder, read_only=True) as reader:
        assert reader.steps() == [1] and leftover.exists()
    with Checkpoints(checkpoints.folder) as reopened:
        assert reopened.steps() == [1]
        reopened.save(2, make_state(seed=2), {})
        assert reopened.restore(make_state())[0].iteration == 2
    assert not leftover.exists()


def test_missing_steps_are_named(checkpoints):
    with pytest.raises(CheckpointError, match="holds no finished checkpoint"):
        checkpoints.restore(make_state())
    checkpoints.save(1, make_state(), {})
    with pytest.raises(CheckpointError, match="holds no checkpoint 5; it holds 1"):
        checkpoints.restore(make_state(), step=5)


def test_a_folder_that_cannot_be_made_gives_one_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot keep checkpoints in"):
        Checkpoints(tmp_path / "file" / "checkpoints")


def test_a_failed_write_says_why_and_keeps_the_older_steps(checkpoints, monkeypatch):
    checkpoints.save(1, make_state(seed=1), {})

    def full(step, **_):
        (checkpoints.folder / f"{step}.orbax-checkpoint-tmp" / "state").mkdir(parents=True)
        raise ValueError("RESOURCE_EXHAUSTED: Error writing a file: No space left on device [os_error_code='28']")

    monkeypatch.setattr(checkpoints._manager, "save", full)
    with pytest.raises(CheckpointError, match="cannot save checkpoint 2 in .*: No space left on device$"):
        checkpoints.save(2, make_state(), {})
    assert checkpoints.steps() == [1] and [path.name for path in checkpoints.folder.iterdir()] == ["1"]
    assert np.asarray(checkpoints.restore(make_state())[0].iteration) == 1
