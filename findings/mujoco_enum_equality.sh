#!/usr/bin/env bash
# Behaviour: equality between one of MuJoCo's enum members and a NumPy number of the same value depends on the side it is
#   written on. number == member is true; member == number is false, and not "not implemented", so Python does not ask
#   the number. `in` asks the members of a tuple, list or set: `model.geom_type[i] in (mjGEOM_CAPSULE, mjGEOM_CYLINDER)`
#   is therefore false for a capsule, and a dictionary with members as keys does not find the number, though both
#   hash alike. Plain Python numbers are equal from both sides, and so are whole arrays, which NumPy compares.
# Expected: an equality that holds from both sides, as with Python's own IntEnum.
# Why it matters: every field of types in a model (geom_type, jnt_type, sensor_type, ...) yields NumPy numbers. A test with
#   `==` works in the usual order; the same test for two kinds at once, written with `in`, silently never holds.
# Remedy: int(model.geom_type[i]).
# Source: met when a test for "capsule or cylinder" left both out. Versions: mujoco 4.0.0, numpy 2.4.6, Python 3.11.
# Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q mujoco==4.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import sys

import mujoco

model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom type='capsule' size='1 1'/></worldbody></mujoco>")
number, member, other = model.geom_type[0], mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER
found = {
    "type of the field": type(number).__name__,
    "number == member": bool(number == member),
    "member == number": bool(member == number),
    "number in (member, other)": number in (member, other),
    "number in {member: ...}": number in {member: "capsule"},
    "hashes are equal": hash(number) == hash(member),
    "int(number) in (member, other)": int(number) in (member, other),
    "member == int(number)": bool(member == int(number)),
    "(model.geom_type == member).all()": bool((model.geom_type == member).all()),
    "(member == model.geom_type) is": str(member == model.geom_type),
}
for name, value in found.items():
    print(f"{name:35} {value}")
values = list(found.values())
sys.exit(0 if values[:9] == ["int32", True, False, False, False, True, True, True, True] else 1)
PY
