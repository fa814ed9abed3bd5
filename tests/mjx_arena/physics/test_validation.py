"""Models that MJX would simulate otherwise than MuJoCo are refused by every engine, with the reason and a way out."""

import functools

import mujoco
import numpy as np
import pytest
from engines import ENGINES, build

import mjx_arena
from mjx_arena.physics.mjx import load_mjx
from mjx_arena.physics.validation import KNOWN, validate

NUM_STEPS = 200
CONVERGED = 'timestep="0.005" iterations="100" ls_iterations="50" tolerance="1e-12"'
NEW = hasattr(mujoco.MjModel, "jnt_springyield")  # MuJoCo 4.0 has what 3.17 lacks


def arm(option="", flag="", joint="", geom="", world="", parts=""):
    """Two links that swing."""
    return f"""
        <mujoco>
          <option {CONVERGED} {option}><flag {flag}/></option>
          <worldbody>{world}
            <body name="upper" pos="0 0 1">
              <joint name="j" axis="0 1 0" {joint}/>
              <geom name="u" type="capsule" fromto="0 0 0 .3 0 0" size=".03" mass="1" contype="0" {geom}/>
              <site name="elbow" pos=".3 0 0"/>
              <body name="lower" pos=".3 0 0">
                <joint name="k" axis="0 1 .3"/>
                <geom type="capsule" fromto="0 0 0 .2 .1 0" size=".02" mass=".5" contype="0" conaffinity="0"/>
                <site name="hand" pos=".2 .1 0"/>
              </body>
            </body>
          </worldbody>{parts}
        </mujoco>"""


def box(option="", flag="", geom="", floor="", parts=""):
    """A cube on the floor."""
    return f"""
        <mujoco>
          <option {CONVERGED} {option}><flag {flag}/></option>
          <worldbody>
            <geom name="floor" type="plane" size="5 5 1" {floor}/>
            <body name="b" pos="0 0 .1"><freejoint/><geom name="g" type="box" size=".1 .1 .1" mass="1" {geom}/></body>
          </worldbody>{parts}
        </mujoco>"""


def motor(attributes, kind="general", target='joint="j"'):
    return f"<actuator><{kind} name='a' {target} {attributes}/></actuator>"


def tendon(attributes, parts=""):
    joints = '<joint joint="j" coef="1"/><joint joint="k" coef="-.5"/>'
    return f"<tendon><fixed name='t' {attributes}>{joints}</fixed></tendon>{parts}"


def equality(attributes):
    return f"<equality><{attributes}/></equality>"


def custom(name):
    return f"<custom><numeric name='{name}' data='1'/></custom>"


WALL = '<site name="wall" pos="1 0 1" euler="0 90 0"/>'
FILTER = 'dyntype="filter" dynprm=".05"'
UP, TILTED, WATER = 'gravity="0 0 1"', 'gravity="3 0 -9.8"', 'density="100" viscosity=".1"'
PAIR = '<contact><pair name="p" geom1="floor" geom2="g" {}/></contact>'
SPRING = 'stiffness="3" damping=".5"'
LOADED = '<extension><plugin plugin="mujoco.pid"/></extension>'
PID = "<actuator><plugin joint='j' plugin='mujoco.pid'><config key='kp' value='5'/></plugin></actuator>"
# Feature: the model with it, the same without it, and what the refusal says.
FEATURES = {
    "stiffness of a joint": (arm(joint='stiffness="1 5 5"'), arm(joint='stiffness="1"'), "joint j: stiffness that"),
    "damping of a joint": (arm(joint='damping=".1 .5"'), arm(joint='damping=".1"'), "joint j: damping that changes"),
    "stiffness of a tendon": (
        arm(parts=tendon('stiffness="1 .2"')),
        arm(parts=tendon('stiffness="1"')),
        "tendon t: stiffness that changes with length",
    ),
    "damping of a tendon": (
        arm(parts=tendon('damping=".1 .2"')),
        arm(parts=tendon('damping=".1"')),
        "tendon t: damping that changes with speed",
    ),
    "damping of an actuator": (arm(parts=motor('damping=".5"')), arm(parts=motor("")), "actuator a: damping is left"),
    "its polynomial": (arm(parts=motor('damping="0 .5"')), arm(parts=motor("")), "actuator a: damping that changes"),
    "armature of an actuator": (arm(parts=motor('armature=".5"')), arm(parts=motor("")), "actuator a: armature"),
    "actearly": (arm(parts=motor(f'{FILTER} actearly="true"')), arm(parts=motor(FILTER)), "actuator a: actearly"),
    "actuators by group": (
        arm(option='actuatorgroupdisable="1"', parts=motor('group="1"')),
        arm(parts=motor('group="1"')),
        "actuatorgroupdisable is left out",
    ),
    "surfacevel": (box(floor='surfacevel="1 0 0 0 0 0"'), box(), "geom floor: surfacevel"),
    "adhesion of a geom": (box(UP, geom='adhesion="5"'), box(UP), "geom g: adhesion"),
    "adhesion of a pair": (
        box(UP, parts=PAIR.format('adhesion="5"')),
        box(UP, parts=PAIR.format("")),
        "pair p: adhesion",
    ),
    "fluid around ellipsoids": (
        arm(option=WATER, geom='fluidshape="ellipsoid"'),
        arm(option=WATER),
        "geom u: fluidshape ellipsoid",
    ),
    "no springs": (arm(flag='spring="disable"', joint=SPRING), arm(joint=SPRING), 'flag spring="disable" takes'),
    "no dampers": (arm(flag='damper="disable"', joint=SPRING), arm(joint=SPRING), 'flag damper="disable" takes'),
    "noslip": (box(f'{TILTED} noslip_iterations="10"'), box(TILTED), "noslip_iterations is left out"),
    "plugin": (arm(parts=LOADED + PID), arm(), "plugins are left out"),
    "connect": (arm(parts=equality("connect name='c' body1='lower' anchor='0 0 0'")), arm(), "equality c: connect and"),
    "weld": (arm(parts=equality("weld body1='lower' body2='upper'")), arm(), "equality 0: connect and weld act"),
    "adhesion actuator": (
        box(UP, parts='<actuator><adhesion name="a" body="b" ctrlrange="0 10"/></actuator>'),
        box(UP),
        "actuator a: trntype BODY does not exist",
    ),
    "slider crank": (
        arm(world=WALL, parts=motor('cranklength=".8"', target='cranksite="hand" slidersite="wall"')),
        arm(world=WALL),
        "actuator a: trntype SLIDERCRANK does not exist",
    ),
    "DC motor": (arm(parts=motor('motorconst="1" resistance="1"', "dcmotor")), arm(), "actuator a: .*type DCMOTOR"),
    "override": (
        box('o_margin=".1"', flag='override="enable"'),
        box(),
        "flag mjENBL_OVERRIDE is not simulated",
    ),
    "exact diagonal": (box(TILTED, flag='diagexact="enable"'), box(TILTED), "flag mjENBL_DIAGEXACT is not simulated"),
}
if NEW:
    FEATURES |= {
        "yield of a joint": (
            arm(joint='stiffness="5" springyield=".5"'),
            arm(joint='stiffness="5"'),
            "joint j: springyield",
        ),
        "yield of a tendon": (
            arm(parts=tendon('stiffness="5" springyield=".1"')),
            arm(parts=tendon('stiffness="5"')),
            "tendon t: springyield",
        ),
    }
# What MJX alone does, or cannot do; MuJoCo goes on as if nothing was there.
OTHERS = {
    "limited contacts": (box(parts=custom("max_contact_points")), "custom number max_contact_points"),
    "limited pairs": (box(parts=custom("max_geom_pairs")), "custom number max_geom_pairs"),
    "energy": (arm(flag='energy="enable"'), "flag mjENBL_ENERGY"),
    "fwdinv": (arm(flag='fwdinv="enable"'), "flag mjENBL_FWDINV"),
    "frictionless in an elliptic cone": (
        box('cone="elliptic"', floor='condim="1"', geom='condim="1"'),
        "geoms floor and g touch with condim 1",
    ),
    "dynamics of a callback": (arm(parts=motor('dyntype="user" actdim="2"')), "actuator a: dyntype USER"),
    "gain of a callback": (arm(parts=motor('gaintype="user"')), "actuator a: gaintype USER"),
    "bias of a callback": (arm(parts=motor('biastype="user"')), "actuator a: biastype USER"),
    "delay": (arm(parts=motor('delay="0.02" nsample="10"')), "delays"),
}


@functools.cache
def played(xml):
    """Coordinates, speeds and sensors after some steps of MuJoCo from rest, all motors on."""
    model = mujoco.MjModel.from_xml_string(xml)
    data = mujoco.MjData(model)
    data.ctrl[:] = 0.7
    mujoco.mj_step(model, data, NUM_STEPS)
    mujoco.mj_forward(model, data)
    return np.concatenate([data.qpos, data.qvel, data.sensordata])


@pytest.mark.parametrize(("model", "without", "message"), FEATURES.values(), ids=FEATURES)
def test_a_feature_that_is_refused_acts_in_mujoco(model, without, message):
    assert np.abs(played(model) - played(without)).max() > 1e-4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("model", "without", "message"), FEATURES.values(), ids=FEATURES)
def test_every_engine_refuses_a_feature_by_its_name(engine, model, without, message):
    with pytest.raises(ValueError, match=message):
        build(engine, mujoco.MjModel.from_xml_string(model))


@pytest.mark.parametrize("without", {without: None for _, without, _ in FEATURES.values()})
def test_the_same_models_without_the_feature_are_accepted(without):
    validate(mujoco.MjModel.from_xml_string(without))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("model", "message"), OTHERS.values(), ids=OTHERS)
def test_every_engine_refuses_what_mjx_alone_does_or_cannot_do(engine, model, message):
    with pytest.raises(ValueError, match=message):
        build(engine, mujoco.MjModel.from_xml_string(model))


@pytest.mark.parametrize("field", KNOWN)
def test_the_kinds_that_are_accepted_are_those_that_mjx_has(field):
    enumeration, known = KNOWN[field]
    mjx_types = load_mjx("mujoco.mjx._src.types")
    of_mjx = getattr(mjx_types, {"mjtTrn": "TrnType", "mjtEq": "EqType"}.get(enumeration, f"{enumeration[3:]}Type"))
    assert set(known) == set(of_mjx.__members__)


def test_flexes_are_refused():
    size = 'type="grid" count="2 2 1" spacing=".1 .1 .1" dim="2" radius=".01"'
    grid = f'<flexcomp name="f" {size}><edge equality="true"/></flexcomp>'  # without the edges MuJoCo writes a log
    with pytest.raises(ValueError, match="flexes do not exist in MJX"):
        validate(mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{grid}</worldbody></mujoco>"))


REFUSED = {
    "implicit": ('<option integrator="implicit"/>', "", "integrator must be Euler"),
    "implicitfast": ('<option integrator="implicitfast"/>', "", "integrator must be Euler"),
    "RK4": ('<option integrator="RK4"/>', "", "integrator must be Euler"),
    "sleep": ('<option><flag sleep="enable"/></option>', "", "flag mjENBL_SLEEP is not simulated by MJX"),
    "PGS": ('<option solver="PGS"/>', "", "solver PGS does not exist in MJX; use Newton or CG"),
    "accelerometer": ("", '<accelerometer name="shake" site="s"/>', "sensors shake need accelerations"),
    "touch": ("", '<touch name="feel" site="s"/><force site="s"/>', "sensors feel, 1 need accelerations"),
    "tendon": ("", '<tendonpos name="pull" tendon="t"/>', "sensors pull would be wrong"),
    "actuator": ("", '<actuatorpos name="push" actuator="a"/>', "sensors push would be wrong"),
    "clock": ("", '<clock name="time"/>', "sensors time would be wrong"),
    "camera frame": ("", '<framepos name="eye" objtype="camera" objname="c"/>', "sensors eye would be wrong"),
    "energy": ("", '<e_potential name="fuel"/>', "sensors fuel would be wrong"),
}


def _small_model(option="", sensors=""):
    return mujoco.MjModel.from_xml_string(f"""
        <mujoco>{option}
          <worldbody>
            <body><joint name="j" axis="0 1 0"/><geom size="0.1"/><site name="s"/><camera name="c"/></body>
          </worldbody>
          <tendon><fixed name="t"><joint joint="j" coef="1"/></fixed></tendon>
          <actuator><general name="a" joint="j"/></actuator><sensor>{sensors}</sensor>
        </mujoco>""")


@pytest.mark.parametrize(("option", "sensors", "message"), REFUSED.values(), ids=REFUSED)
def test_models_that_mjx_would_get_wrong_are_refused_with_the_reason(option, sensors, message):
    with pytest.raises(ValueError, match=message):
        validate(_small_model(option, sensors))


def test_a_plain_model_is_accepted():
    validate(_small_model('<option solver="CG"/>', '<framepos objtype="site" objname="s"/>'))


def _rays(shape, data="", assets='<material name="any"/>'):
    """A rangefinder that looks down on a shape."""
    return mujoco.MjModel.from_xml_string(f"""
        <mujoco>
          <asset>{assets}<hfield name="h" nrow="2" ncol="2" size="1 1 1 .1"/></asset>
          <worldbody>
            <geom name="below" {shape}/>
            <body pos="0 0 1"><joint/><geom size=".01"/><site name="eye" euler="180 0 0"/></body>
          </worldbody>
          <sensor><rangefinder name="ray" site="eye" {data}/></sensor>
        </mujoco>""")


def test_rangefinders_may_see_what_mjx_casts_rays_at():
    validate(_rays('type="box" size=".1 .1 .1"'))
    validate(_rays('type="box" size=".1 .1 .1"', 'data="dist"'))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (('type="cylinder" size=".1 .1"',), "rangefinders ray see no cylinder .*; replace geom below"),
        (('type="hfield" hfield="h"',), "rangefinders ray see no cylinder .*; replace geom below"),
        (('type="box" size=".1 .1 .1"', 'data="dist dir"'), "rangefinders ray measure a distance alone"),
        (('type="box" size=".1 .1 .1"', "", ""), "rangefinders ray fail in MJX where a model has no material"),
    ],
)
def test_rangefinders_that_mjx_would_read_otherwise_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        validate(_rays(*arguments))


def _several_trees(jacobian="auto", solver="Newton", num=2):
    """Bodies with three legs that fall over each other: what the sparse factor of MuJoCo 4.0.0 gets wrong."""
    link = '<joint axis="0 1 0" range="-30 30"/><geom type="capsule" fromto="0 0 0 0 0 -.1" size=".03"/>'
    legs = "".join(f'<body pos="0 {y} 0">{link}<body pos="0 0 -.1">{link}</body></body>' for y in (0, 0.1, 0.2))
    bodies = "".join(
        f'<body pos="{0.3 * index} 0 .25"><freejoint/><geom size=".08"/>{legs}</body>' for index in range(num)
    )
    return mujoco.MjModel.from_xml_string(f"""
        <mujoco>
          <option {CONVERGED} jacobian="{jacobian}" solver="{solver}"/>
          <worldbody><geom type="plane" size="5 5 1"/>{bodies}</worldbody>
        </mujoco>""")


@pytest.mark.parametrize("arguments", [{"jacobian": "sparse"}, {"num": 8}], ids=str)
def test_sparse_models_are_refused_on_the_release_that_solves_them_wrongly(arguments, monkeypatch):
    model = _several_trees(**arguments)
    for version, accepted in (("3.17.0", True), ("4.0.0", False), ("4.0.1", True)):
        monkeypatch.setattr(mujoco, "__version__", version)
        if accepted:
            validate(model)
        else:
            with pytest.raises(ValueError, match='MuJoCo 4.0.0 .* jacobian="dense", or install another version'):
                validate(model)
    monkeypatch.setattr(mujoco, "__version__", "4.0.0")
    validate(_several_trees(jacobian="dense"))
    validate(_several_trees(jacobian="sparse", solver="CG"))


def test_sparse_models_go_wrong_on_that_release_alone():
    speeds = []
    for jacobian in ("dense", "sparse"):
        model = _several_trees(jacobian)
        data = mujoco.MjData(model)
        data.qvel[:] = np.random.default_rng(0).normal(0, 3, model.nv)
        mujoco.mj_step(model, data, 50)
        speeds.append(data.qvel.copy())
    wrong = np.abs(speeds[0] - speeds[1]).max() > 1e-3
    assert wrong == (mujoco.__version__ == "4.0.0")


def test_a_game_of_many_bodies_is_dense_on_that_release(monkeypatch):
    monkeypatch.setattr(mujoco, "__version__", "4.0.0")
    model = mjx_arena.make("ant_battle", "native", num_agents=6).mj_model
    assert model.nv > 60 and model.opt.jacobian == mujoco.mjtJacobian.mjJAC_DENSE
    monkeypatch.setattr(mujoco, "__version__", "4.0.1")
    assert mjx_arena.make("ant_battle", "native", num_agents=6).mj_model.opt.jacobian == mujoco.mjtJacobian.mjJAC_AUTO
