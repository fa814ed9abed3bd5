"""Which geoms may touch, against the contacts that MuJoCo finds; and what is refused of them."""

import mujoco
import pytest
from engines import ENGINES, build

from mjx_arena.physics.collisions import MISSING, colliding_pairs, validate_collisions
from mjx_arena.physics.mjx import load_mjx

SHAPES = {
    "hfield": 'type="hfield" hfield="h"',
    "ellipsoid": 'type="ellipsoid" size=".1 .1 .2"',
    "cylinder": 'type="cylinder" size=".1 .1"',
    "box": 'type="box" size=".1 .1 .1"',
    "mesh": 'type="mesh" mesh="m"',
    "sdf": 'type="sdf" mesh="m"',
}
REFUSED = [
    *(("ellipsoid", "box"), ("ellipsoid", "mesh"), ("ellipsoid", "hfield")),
    *(("cylinder", "box"), ("cylinder", "mesh"), ("cylinder", "hfield")),
    *(("box", "sdf"), ("sdf", "sdf")),
]
APART = 'contype="0" conaffinity="0"'
# All overlap: whatever may touch does.
CROWD = """
<mujoco>
  <option><flag filterparent="{filterparent}"/></option>
  <default><geom size=".5"/></default>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 1"/><geom name="pillar"/>
    <body name="rock"><geom name="rock"/><body name="moss"><geom name="moss"/></body></body>
    <body name="trunk"><freejoint/><geom name="trunk"/><geom name="bark"/>
      <body name="arm"><joint/><geom name="arm" contype="2" conaffinity="5"/>
        <body name="glove"><geom name="glove"/>
          <body name="finger"><joint/><geom name="finger" contype="4"/></body>
        </body>
      </body>
    </body>
    <body name="cart"><joint type="slide"/><geom name="cart" contype="0" conaffinity="2"/>
      <body name="load"><joint/><geom name="load" contype="0" conaffinity="0"/></body>
    </body>
    <body name="puppet" mocap="true"><geom name="puppet"/><body><geom name="string"/></body></body>
  </worldbody>
  <contact>
    <pair geom1="load" geom2="bark"/> <pair geom1="trunk" geom2="arm"/> <pair geom1="puppet" geom2="trunk"/>
    <exclude body1="rock" body2="trunk"/> <exclude body1="glove" body2="world"/> <exclude body1="trunk" body2="puppet"/>
  </contact>
</mujoco>
"""


def _two(first, second, attributes="", parts="", option=""):
    """A shape that moves over one that stands still; meshes and height fields as need be."""
    return mujoco.MjModel.from_xml_string(f"""
        <mujoco>
          <option {option}/>
          <asset>
            <mesh name="m" vertex="0 0 0 .3 0 0 0 .3 0 0 0 .3"/><hfield name="h" nrow="2" ncol="2" size="1 1 1 .1"/>
          </asset>
          <worldbody>
            <geom name="below" {SHAPES[second]}/>
            <body name="b" pos="0 0 1"><freejoint/><geom name="above" mass="1" {SHAPES[first]} {attributes}/></body>
          </worldbody>{parts}
        </mujoco>""")


@pytest.mark.parametrize("filterparent", ["enable", "disable"])
def test_the_pairs_are_those_that_mujoco_and_mjx_let_touch(filterparent):
    model = mujoco.MjModel.from_xml_string(CROWD.format(filterparent=filterparent))
    found = [tuple(pair) for pair in colliding_pairs(model)[0].tolist()]
    assert len(set(found)) == len(found) > 20
    of_mjx = load_mjx("mujoco.mjx._src.collision_driver").geom_pairs(model)
    assert set(found) == {tuple(sorted(map(int, pair[:2]))) for pair in of_mjx}
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    touching = {tuple(sorted(pair)) for pair in data.contact.geom.tolist()}
    moves = model.body_treeid[model.geom_bodyid] >= 0  # MuJoCo leaves out mocap bodies against the world
    assert {pair for pair in found if moves[list(pair)].any()} == touching


def test_what_mjx_has_no_function_for_is_known():
    has_function = load_mjx("mujoco.mjx._src.collision_driver").has_collision_fn
    kinds = range(int(mujoco.mjtGeom.mjGEOM_SDF) + 1)
    found = {(one, other) for one in kinds for other in kinds if one <= other and not has_function(one, other)}
    assert found == {tuple(int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}")) for name in pair) for pair in MISSING}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pair", REFUSED, ids="-".join)
def test_every_engine_refuses_shapes_that_cannot_collide_in_mjx(engine, pair):
    with pytest.raises(ValueError, match="geoms below and above may collide, and MJX has no collision of .*; use"):
        build(engine, _two(*(pair if pair[1] == "hfield" else pair[::-1])))


@pytest.mark.parametrize(
    ("attributes", "parts"),
    [(APART, ""), ("", '<contact><exclude body1="world" body2="b"/></contact>')],
    ids=["by bits", "by exclude"],
)
def test_shapes_that_are_kept_apart_are_accepted(attributes, parts):
    validate_collisions(_two("cylinder", "box", attributes, parts))


def test_a_pair_by_name_collides_all_the_same():
    parts = '<contact><pair geom1="above" geom2="below"/><exclude body1="world" body2="b"/></contact>'
    with pytest.raises(ValueError, match="geoms below and above may collide"):
        validate_collisions(_two("cylinder", "box", APART, parts))


def test_geoms_without_names_go_by_their_index():
    model = mujoco.MjModel.from_xml_string(f"""
        <mujoco><worldbody>
          <geom {SHAPES["box"]}/> <body><joint/><geom {SHAPES["cylinder"]}/></body>
        </worldbody></mujoco>""")
    with pytest.raises(ValueError, match="geoms 0 and 1 may collide, and MJX has no collision of box and cylinder"):
        validate_collisions(model)


@pytest.mark.parametrize(
    ("attributes", "parts"),
    [('margin=".01"', ""), ("", '<contact><pair geom1="above" geom2="below" margin=".01"/></contact>')],
    ids=["of a geom", "of a pair"],
)
def test_a_margin_is_refused_where_mjx_has_none(attributes, parts):
    with pytest.raises(ValueError, match="geoms below and above have a margin, which MJX lacks for meshes"):
        validate_collisions(_two("mesh", "box", attributes, parts))
    validate_collisions(_two("mesh", "box"))
    validate_collisions(_two("box", "box", attributes, parts))


@pytest.mark.parametrize(
    ("below", "above", "dimension"),
    [
        ("", 'condim="1"', 3),
        ('condim="1"', 'condim="1"', 1),
        ("", 'condim="1" priority="1"', 1),
        ('condim="1"', 'condim="6" priority="-1"', 1),
    ],
)
def test_the_condim_of_a_contact_is_mujoco_s(below, above, dimension):
    model = mujoco.MjModel.from_xml_string(f"""
        <mujoco><option cone="elliptic"/><worldbody>
          <geom size=".5" {below}/> <body><freejoint/><geom size=".5" {above}/></body>
        </worldbody></mujoco>""")
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert colliding_pairs(model)[2].tolist() == data.contact.dim.tolist() == [dimension]
    if dimension == 1:
        with pytest.raises(ValueError, match="geoms 0 and 1 touch with condim 1, which MJX lacks for the elliptic"):
            validate_collisions(model)
        model.opt.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
    validate_collisions(model)
