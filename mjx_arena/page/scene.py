"""What MuJoCo draws of a model, as data: shapes with their colours, textures and places on bodies."""

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

from mjx_arena.page.blob import Blob

_SHAPES = {
    mujoco.mjtGeom.mjGEOM_PLANE: "plane",
    mujoco.mjtGeom.mjGEOM_SPHERE: "sphere",
    mujoco.mjtGeom.mjGEOM_CAPSULE: "capsule",
    mujoco.mjtGeom.mjGEOM_ELLIPSOID: "ellipsoid",
    mujoco.mjtGeom.mjGEOM_CYLINDER: "cylinder",
    mujoco.mjtGeom.mjGEOM_BOX: "box",
    mujoco.mjtGeom.mjGEOM_MESH: "mesh",
    mujoco.mjtGeom.mjGEOM_HFIELD: "mesh",
}
_CHANGING = {"size": "scale", "pos": "position", "rgba": "rgba"}  # fields of a model, and what they are to a page
_COLOUR = int(mujoco.mjtTextureRole.mjTEXROLE_RGB)


class Describer:
    """Describes the shapes of a model; arrays go into `blob`, each mesh and texture once."""

    def __init__(self, model: mujoco.MjModel, blob: Blob):
        self.model, self.blob = model, blob
        self.meshes: list[dict[str, Any]] = []
        self.textures: list[dict[str, Any]] = []
        self.drawn: dict[tuple[str, int], int] = {}  # places in `shapes` of the geoms and sites, by kind and index
        self._seen: dict[tuple[str, int], int] = {}

    def shapes(self, qpos: np.ndarray) -> list[dict[str, Any]]:
        """Returns the geoms and sites that MuJoCo shows by default, with the colours that it gives them.

        What it makes anew for every picture is left out: tendons, skins, flexes, and marks such as contacts.
        """
        model = self.model
        data, scene = mujoco.MjData(model), mujoco.MjvScene(model, maxgeom=model.ngeom + model.nsite + 1000)
        data.qpos[:] = qpos
        mujoco.mj_forward(model, data)
        category = mujoco.mjtCatBit.mjCAT_STATIC | mujoco.mjtCatBit.mjCAT_DYNAMIC
        mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, mujoco.MjvCamera(), category, scene)
        shown: list[dict[str, Any]] = []
        for shape in scene.geoms[: scene.ngeom]:
            if (described := self._shape(shape)) is not None:
                kind = "geom" if shape.objtype == mujoco.mjtObj.mjOBJ_GEOM else "site"
                self.drawn[kind, int(shape.objid)] = len(shown)
                shown.append(described)
        return shown

    def sky(self) -> dict[str, list[float]] | None:
        """Returns the colours `[3]` of the model's sky at the `horizon` and the `zenith`; None without a sky."""
        found = np.flatnonzero(self.model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX)
        if not len(found) or self.model.tex_height[found[0]] != 6 * self.model.tex_width[found[0]]:
            return None
        # The sides of a cube, one below the other: right, left, up, down, front, back.
        right, _, up, *_ = np.split(self._pixels(int(found[0])) / 255, 6)
        return {"horizon": _numbers(right[len(right) // 2].mean(0)), "zenith": _numbers(up.mean((0, 1)))}

    def changes(self, changes: Mapping[str, Mapping[int, np.ndarray]]) -> list[dict[str, Any]]:
        """Returns what changes of which shape: `scale` and `position` `[T, 3]` and `rgba` `[T, 4]`.

        `changes` are the values of fields such as `site_size`, see `furniture`. Sizes become shares of the first ones.
        """
        found: dict[int, dict[str, Any]] = {}
        for field, values in changes.items():
            kind, _, name = field.partition("_")
            for index, series in values.items():
                if (kind, index) not in self.drawn:
                    continue
                if name == "size":
                    shape = int(getattr(self.model, f"{kind}_type")[index])
                    extent, own = (_extents(shape, size) for size in (series, getattr(self.model, field)[index]))
                    series = np.divide(extent, own, out=np.ones_like(extent), where=own > 0)
                entry = found.setdefault(self.drawn[kind, index], {"shape": self.drawn[kind, index]})
                entry[_CHANGING[name]] = self.blob.add(series.astype(np.float32))
        return list(found.values())

    def _shape(self, shape: mujoco.MjvGeom) -> dict[str, Any] | None:
        model, of = self.model, shape.objid
        if shape.rgba[3] == 0 or shape.type not in _SHAPES:
            return None
        if shape.objtype == mujoco.mjtObj.mjOBJ_GEOM:
            body, position, quaternion = model.geom_bodyid[of], model.geom_pos[of], model.geom_quat[of]
        elif shape.objtype == mujoco.mjtObj.mjOBJ_SITE:
            body, position, quaternion = model.site_bodyid[of], model.site_pos[of], model.site_quat[of]
        else:
            return None
        is_plane = shape.type == mujoco.mjtGeom.mjGEOM_PLANE  # which MuJoCo draws no farther than a picture reaches
        described = {
            "shape": _SHAPES[shape.type],
            "body": int(body),
            "size": _numbers(model.geom_size[of] if is_plane else shape.size),
            "position": _numbers(position),
            "quaternion": _numbers(quaternion),
            "rgba": _numbers(shape.rgba),
            "emission": round(float(shape.emission), 3),
            "specular": round(float(shape.specular), 3),
            "shininess": round(float(shape.shininess), 3),
            "shadow": bool(shape.castshadow),
        }
        if shape.type == mujoco.mjtGeom.mjGEOM_MESH:
            described["mesh"] = self._once("mesh", int(model.geom_dataid[of]), self.meshes, self._mesh)
        elif shape.type == mujoco.mjtGeom.mjGEOM_HFIELD:
            described["mesh"] = self._once("hfield", int(model.geom_dataid[of]), self.meshes, self._height_field)
        laid_out = is_plane or ("mesh" in described and "uv" in self.meshes[described["mesh"]])
        return described | self._texture(shape.matid, laid_out)

    def _texture(self, material: int, laid_out: bool) -> dict[str, Any]:
        """Returns the texture of `material`, for a shape on which it is `laid_out`; else its mean colour, as `tint`."""
        model = self.model
        texture = int(model.mat_texid[material, _COLOUR]) if material >= 0 else -1
        if texture < 0:
            return {}
        if not laid_out or model.tex_type[texture] != mujoco.mjtTexture.mjTEXTURE_2D:
            return {"tint": _numbers(self._pixels(texture).reshape(-1, 3).mean(0) / 255)}
        return {
            "texture": self._once("texture", texture, self.textures, self._flat_texture),
            "repeat": _numbers(model.mat_texrepeat[material]),
            "uniform": bool(model.mat_texuniform[material]),
        }

    def _once(self, kind: str, index: int, found: list, describe) -> int:
        """Returns the place in `found` of what `describe(index)` returns; calls it only the first time."""
        if (kind, index) not in self._seen:
            self._seen[kind, index] = len(found)
            found.append(describe(index))
        return self._seen[kind, index]

    def _pixels(self, texture: int) -> np.ndarray:
        """Returns the colours of a texture `[height, width, 3]` uint8."""
        model = self.model
        height, width, channels = model.tex_height[texture], model.tex_width[texture], model.tex_nchannel[texture]
        start = model.tex_adr[texture]
        pixels = model.tex_data[start : start + height * width * channels].reshape(height, width, channels)
        return np.ascontiguousarray(np.repeat(pixels, 3, -1) if channels == 1 else pixels[..., :3])

    def _flat_texture(self, texture: int) -> dict[str, Any]:
        pixels = self._pixels(texture)
        alpha = np.full((*pixels.shape[:2], 1), 255, np.uint8)
        rgba = self.blob.add(np.concatenate([pixels, alpha], -1))
        return {"width": pixels.shape[1], "height": pixels.shape[0], "rgba": rgba}

    def _mesh(self, mesh: int) -> dict[str, Any]:
        """Adds a mesh, with a corner for each vertex, normal and texture coordinate that meet in a face."""
        model, none = self.model, np.zeros((1, 2), np.float32)

        def part(values, start, length):
            return values[start[mesh] : start[mesh] + length[mesh]]

        faces = slice(model.mesh_faceadr[mesh], model.mesh_faceadr[mesh] + model.mesh_facenum[mesh])
        vertices = part(model.mesh_vert, model.mesh_vertadr, model.mesh_vertnum)
        normals = part(model.mesh_normal, model.mesh_normaladr, model.mesh_normalnum)
        textured = model.mesh_texcoordadr[mesh] >= 0
        places = part(model.mesh_texcoord, model.mesh_texcoordadr, model.mesh_texcoordnum) if textured else none
        corners = np.stack(
            [
                model.mesh_face[faces].reshape(-1),
                model.mesh_facenormal[faces].reshape(-1),
                model.mesh_facetexcoord[faces].reshape(-1) if textured else np.zeros(3 * model.mesh_facenum[mesh], int),
            ],
            -1,
        )
        unique, index = np.unique(corners, axis=0, return_inverse=True)
        vertex, normal, place = unique.T
        described = self._add_mesh(vertices[vertex], normals[normal], index)
        return described | ({"uv": self.blob.add(places[place])} if textured else {})

    def _height_field(self, field: int) -> dict[str, Any]:
        """Adds the upper side of a height field, as a mesh."""
        model = self.model
        rows, columns, start = model.hfield_nrow[field], model.hfield_ncol[field], model.hfield_adr[field]
        half_x, half_y, top, _ = model.hfield_size[field]
        x, y = np.linspace(-half_x, half_x, columns), np.linspace(-half_y, half_y, rows)
        height = top * model.hfield_data[start : start + rows * columns].reshape(rows, columns)
        slope_y, slope_x = np.gradient(height, y, x)
        normals = np.stack([-slope_x, -slope_y, np.ones_like(height)], -1)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        corner = np.arange(rows * columns).reshape(rows, columns)
        a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
        faces = np.stack([a, b, c, a, c, d], -1)
        vertices = np.stack([*np.meshgrid(x, y), height], -1)
        return self._add_mesh(vertices.reshape(-1, 3), normals.reshape(-1, 3), faces)

    def _add_mesh(self, vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray) -> dict[str, Any]:
        return {
            "position": self.blob.add(vertices.astype(np.float32)),
            "normal": self.blob.add(normals.astype(np.float32)),
            "index": self.blob.add(faces.reshape(-1).astype(np.uint32)),
        }


def players(model: mujoco.MjModel, count: int) -> list[int]:
    """Returns the root bodies of `count` players, in order: as many as are built alike, or all; else none.

    Colours and the camera need them; a game does not say which bodies are whose.
    """
    roots = np.flatnonzero(model.body_parentid == 0)[1:]
    built: dict[tuple, list[int]] = {}
    for root in roots:
        own = np.flatnonzero(model.body_rootid[model.geom_bodyid] == root)
        built.setdefault((*model.geom_type[own], *model.geom_size[own].round(6).reshape(-1)), []).append(int(root))
    alike = [bodies for bodies in built.values() if len(bodies) == count]
    if len(alike) == 1:
        return alike[0]
    return [int(root) for root in roots] if len(roots) == count else []


def colour(model: mujoco.MjModel, root: int, shapes: list[dict[str, Any]]) -> list[float]:
    """Returns the colour `[3]` of the largest shape on the body `root`; grey without one."""
    own = [shape for shape in shapes if shape["body"] == root]
    return max(own, key=lambda shape: np.prod(shape["size"]))["rgba"][:3] if own else [0.6, 0.6, 0.6]


def _extents(kind: int, size: np.ndarray) -> np.ndarray:
    """Returns how far a shape of a kind of `mjtGeom` reaches along its axes `[..., 3]`, from its sizes `[..., 3]`.

    `kind` is no number of NumPy's, to which none of MuJoCo's is equal (`findings/mujoco_enum_equality.sh`).
    """
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        return size[..., [0, 0, 0]]
    if kind in (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER):
        return size[..., [0, 0, 1]]
    return size


def _numbers(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
