"""Checks for collisions that MJX lacks, with messages earlier and clearer than MJX's own while it compiles."""

import mujoco
import numpy as np

_TYPES = int(mujoco.mjtGeom.mjGEOM_SDF) + 1
# Pairs that MJX has no function for. Planes and height fields meet each other only in explicit pairs.
MISSING = (
    *(("PLANE", "PLANE"), ("PLANE", "HFIELD"), ("HFIELD", "HFIELD")),
    *(("HFIELD", "ELLIPSOID"), ("HFIELD", "CYLINDER")),
    *(("ELLIPSOID", "BOX"), ("ELLIPSOID", "MESH"), ("CYLINDER", "BOX"), ("CYLINDER", "MESH")),
    *((mujoco.mjtGeom(kind).name.removeprefix("mjGEOM_"), "SDF") for kind in range(_TYPES)),
)


def validate_collisions(model: mujoco.MjModel) -> None:
    """Raises ValueError for geoms that may collide in MuJoCo but not in MJX; the message names them and a remedy."""
    pairs, margins, dimensions = colliding_pairs(model)
    kinds = model.geom_type[pairs]
    missing = np.zeros((_TYPES, _TYPES), bool)
    for one, other in MISSING:
        missing[_type(one), _type(other)] = missing[_type(other), _type(one)] = True
    for first, second in pairs[missing[kinds[:, 0], kinds[:, 1]]]:
        shapes = " and ".join(mujoco.mjtGeom(model.geom_type[geom]).name.split("_")[1] for geom in (first, second))
        raise ValueError(
            f"{_names(model, first, second)} may collide, and MJX has no collision of {shapes.lower()}; use other "
            "shapes, or keep the two apart by contype and conaffinity, or by exclude"
        )
    detailed = np.isin(kinds, (_type("MESH"), _type("HFIELD"))).any(1)
    for first, second in pairs[detailed & (margins != 0)]:
        raise ValueError(
            f"{_names(model, first, second)} have a margin, which MJX lacks for meshes and height fields; set it to 0"
        )
    if model.opt.cone == mujoco.mjtCone.mjCONE_ELLIPTIC:
        for first, second in pairs[dimensions == 1]:
            raise ValueError(
                f"{_names(model, first, second)} touch with condim 1, which MJX lacks for the elliptic cone; use the "
                "pyramidal one, or another condim"
            )


def colliding_pairs(model: mujoco.MjModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns pairs of geoms that may touch `[P, 2]`, and the margins `[P]` and condims `[P]` of their contacts.

    Explicit pairs come first; then geoms of bodies that can move relative to each other, are not parent and child and
    are not excluded, if bits of contype and conaffinity match. The source is "Collision detection" in MuJoCo's
    documentation; in MJX mocap bodies also meet the world.
    """
    first, second = np.triu_indices(model.ngeom, 1)  # geoms are in the order of their bodies
    kind, affinity = model.geom_contype, model.geom_conaffinity
    chosen = (kind[first] & affinity[second] | kind[second] & affinity[first]) != 0
    body, other = model.geom_bodyid[first], model.geom_bodyid[second]
    welded, other_welded = model.body_weldid[body], model.body_weldid[other]
    chosen &= welded != other_welded
    if not model.opt.disableflags & int(mujoco.mjtDisableBit.mjDSBL_FILTERPARENT):
        parent, other_parent = (model.body_weldid[model.body_parentid[of]] for of in (welded, other_welded))
        related = (welded == other_parent) | (other_welded == parent)
        chosen &= ~(related & (welded != 0) & (other_welded != 0))
    chosen &= ~np.isin((body << 16) + other, model.exclude_signature)
    fixed = np.isin(model.geom_type, (_type("PLANE"), _type("HFIELD")))
    flat = model.geom_type == _type("PLANE")
    chosen &= ~(flat[first] & fixed[second] | fixed[first] & flat[second])  # these never touch
    named = np.sort(np.stack([model.pair_geom1, model.pair_geom2], 1), 1)
    chosen &= ~np.isin(first * model.ngeom + second, named[:, 0] * model.ngeom + named[:, 1])
    first, second = first[chosen], second[chosen]

    priority, dimension = model.geom_priority, model.geom_condim
    larger = np.maximum(dimension[first], dimension[second])
    leading = np.where(priority[first] > priority[second], dimension[first], dimension[second])
    dimensions = np.where(priority[first] == priority[second], larger, leading)
    margins = model.geom_margin[first] + model.geom_margin[second]
    return (
        np.concatenate([named, np.stack([first, second], 1)]),
        np.concatenate([model.pair_margin, margins]),
        np.concatenate([model.pair_dim, dimensions]),
    )


def _type(name: str) -> int:
    return int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}"))


def _names(model: mujoco.MjModel, first: int, second: int) -> str:
    one, other = (model.geom(geom).name or str(geom) for geom in (first, second))
    return f"geoms {one} and {other}"
