"""Every format of exported files gives what the policy itself gives, read as docs/exports.md says."""

import functools
import json

import jax
import numpy as np
import onnx
import pytest
from exports import played, read
from train_runs import ROOT

from league.commands.export import ExportSettings, export
from league.evaluation import policy_file
from league.exports import formats
from league.exports.contents import Contents
from mjx_arena.types import Box, Discrete
from mjx_arena.validation import SettingError
from ppo.policy import Policy
from ppo.settings import PPOSettings

OBSERVATIONS = 12
KINDS = {"controls": Box(3), "choices": Discrete(7)}
READ = ("npz", "onnx", "stablehlo")
OLD = ROOT / "tests" / "data" / "version_0_1"


def made(kind, sampled, activation="tanh"):
    """A policy with random weights, and a normaliser that is not trivial."""
    policy = Policy(
        OBSERVATIONS, KINDS[kind], PPOSettings(actor_hidden=(24, 16), critic_hidden=(20,), activation=activation)
    )
    rng = np.random.default_rng(0)
    shape = jax.eval_shape(policy.init, jax.random.key(1))
    state = jax.tree.map(lambda x: (0.4 * rng.normal(size=x.shape)).astype(x.dtype), shape)
    normalizer = state.normalizer.replace(
        variance=np.append(rng.uniform(0.01, 9, OBSERVATIONS - 1), 0).astype(np.float32),  # one number never changed
    )
    masked = kind == "choices"
    noise = "gumbel" if masked else "normal"
    about = {"task": {"name": "toy"}, "iteration": 3, "masked": masked, "noise": noise}
    about = policy_file.describe(policy, about)
    return Contents(policy, state.replace(normalizer=normalizer), masked, sampled, about, {})


@functools.cache
def expected(kind, activation="tanh"):
    """Inputs, and what the policy does with them: noise, likely actions, draws by the key of the noise, and values."""
    return played(made(kind, False, activation))


@pytest.mark.parametrize("sampled", [False, True], ids=["mode", "sampled"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", READ)
def test_a_file_plays_as_the_policy_does(form, kind, sampled, tmp_path):
    contents = made(kind, sampled)
    path = tmp_path / f"p.{form}"
    formats.write(path, formats.FORMATS[form], contents)
    inputs, noise, likely, drawn, value = expected(kind)
    found, found_value, about = read(form, path, inputs | ({"noise": noise} if sampled else {}))
    action = drawn if sampled else likely
    np.testing.assert_allclose(found, action, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found_value, value, rtol=0, atol=1e-5)
    assert about == json.loads(json.dumps(contents.about))
    assert found.shape == action.shape and found_value.shape == (1000,)
    if form != "npz":
        assert found.dtype == action.dtype and found_value.dtype == np.float32
    numbers = sum(x.size for x in jax.tree.leaves(contents.state))
    assert path.stat().st_size < 4 * numbers + 12_000
    content = path.read_bytes()
    assert str(ROOT).encode() not in content and b"site-packages" not in content


@pytest.mark.parametrize("form", ["onnx", "stablehlo"])
def test_zeros_for_noise_play_the_most_likely_action_for_any_number_of_rows(form, tmp_path):
    for kind in KINDS:
        formats.write(tmp_path / f"p.{form}", formats.FORMATS[form], made(kind, sampled=True))
        inputs, noise, likely, *_ = expected(kind)
        few = {name: array[:3] for name, array in (inputs | {"noise": 0 * noise}).items()}
        np.testing.assert_allclose(read(form, tmp_path / f"p.{form}", few)[0], likely[:3], rtol=0, atol=1e-5)


@pytest.mark.parametrize("activation", ["elu", "swish", "relu"])
def test_other_activations_are_the_same(activation, tmp_path):
    inputs, _, likely, _, value = expected("controls", activation)
    for form in ("npz", "onnx"):
        formats.write(tmp_path / f"p.{form}", formats.FORMATS[form], made("controls", False, activation))
        found = read(form, tmp_path / f"p.{form}", inputs)
        np.testing.assert_allclose(found[0], likely, rtol=0, atol=1e-5)
        np.testing.assert_allclose(found[1], value, rtol=0, atol=1e-5)


def test_an_old_file_becomes_another_format(tmp_path, capsys):
    out = tmp_path / "qwop.onnx"
    contestant = export(ExportSettings(run=str(OLD / "qwop" / "policy.npz"), out=str(out)))
    assert f"wrote {out}: qwop, iteration {contestant.iteration}, " in capsys.readouterr().out
    model = onnx.load(out)
    about = json.loads(model.metadata_props[0].value)
    assert [model.opset_import[0].version, model.ir_version] == [17, 8]
    assert about["task"]["name"] == "qwop" and about["task_version"] == 2 and about["seats"] == ["seat 0"]
    assert about["action_names"][:6] == ["none", "Q", "W", "O", "P", "QW"] and len(about["action_names"]) == 16
    assert not about["masked"] and about["noise"] == "gumbel" and about["iteration"] == contestant.iteration
    assert about["control_dt"] == pytest.approx(0.16) and about["versions"]["jax"] == jax.__version__
    observation = np.random.default_rng(3).normal(size=(5, about["observation_size"])).astype(np.float32)
    distribution, value = contestant.policy.apply(contestant.state, observation)
    found = read("onnx", out, {"observation": observation})
    np.testing.assert_array_equal(found[0], distribution.mode())
    np.testing.assert_allclose(found[1], value, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"run": None}, "run=None: must be given"),
        ({"out": "policy.zip"}, r"out=policy.zip: must end in .npz, .onnx or .stablehlo$"),
        ({"out": "policy"}, r"out=policy: must end in .npz, .onnx or .stablehlo$"),
        ({"out": "policy.npz", "format": "onnx"}, "out=policy.npz: must end in .onnx with format=onnx"),
        ({"out": "bot.onnx", "format": "rlgym"}, "out=bot.onnx: must end in .npz with format=rlgym"),
        ({"format": "tflite"}, "format=tflite: must be one of npz, onnx, stablehlo, rlgym, or null"),
        ({"sampled": True}, "sampled=True: is for the other formats"),
    ],
)
def test_what_contradicts_itself_is_refused(settings, expected):
    with pytest.raises(SettingError, match=expected):
        ExportSettings(**({"run": "x"} | settings)).validate()


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"format=onnx: needs the extra: pip install 'mjx-arena\[export\]' \(onnx\)"):
        ExportSettings(run="x", out="policy.onnx").validate()
    ExportSettings(run="x", out="policy.npz").validate()


def test_a_game_that_rlgym_does_not_play_is_refused(tmp_path):
    with pytest.raises(SettingError, match="format=rlgym: is for car_soccer, which RLGym plays too; .* of toy"):
        formats.write(tmp_path / "bot.npz", formats.FORMATS["rlgym"], made("controls", False))
    assert list(tmp_path.iterdir()) == []
