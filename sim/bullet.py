"""Bodies of a scene as PyBullet takes them: collision shapes, frames, links."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pybullet

from cousins.errors import EngineError
from cousins.geometry import Array, quat_wxyz_from_rotation, rigid, rotation_from_quat_wxyz
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.scene.inertia import principal_inertia
from sim.hulls import grouped_obj

MOST_SHAPES: Final = 16
"""Shapes that Bullet's shared memory takes for one body (MAX_COMPOUND_COLLISION_SHAPES)."""
_JOINTS: Final = {
    "fixed": pybullet.JOINT_FIXED,
    "revolute": pybullet.JOINT_REVOLUTE,
    "prismatic": pybullet.JOINT_PRISMATIC,
}


def collision_shape(pieces: tuple[Piece, ...], path: Path, client: int) -> int:
    """Return Bullet's number of a compound of pieces; hulls go through one OBJ file at `path`."""
    primitives = [piece for piece in pieces if piece.kind != "mesh"]
    if len(primitives) >= MOST_SHAPES:
        primitives = []
    meshes = [piece.mesh for piece in pieces if not any(piece is other for other in primitives)]
    shapes = [_primitive(piece) for piece in primitives]
    if meshes:
        path.write_bytes(grouped_obj(meshes))
        shapes.append(_hulls(path))
    keys = shapes[0].keys()
    shape = pybullet.createCollisionShapeArray(
        **{key: [one[key] for one in shapes] for key in keys}, physicsClientId=client
    )
    if shape < 0:
        raise EngineError(f"the collision shape of {path.stem} was refused", engine="pybullet")
    return int(shape)


def pose_of(position: tuple[float, ...], xyzw: tuple[float, ...]) -> Array:
    """Return a pose [4, 4] from Bullet's position and quaternion."""
    return rigid(rotation_from_quat_wxyz(np.array([xyzw[3], *xyzw[:3]])), np.array(position))


def xyzw_of(rotation: Array) -> list[float]:
    """Return Bullet's quaternion of a rotation [3, 3]."""
    w, x, y, z = quat_wxyz_from_rotation(rotation).tolist()
    return [x, y, z, w]


def inertial_frame(link: Link) -> Array:
    """Return `link_from_inertial` [4, 4]: the principal axes at the centre of mass."""
    return rigid(principal_inertia(link.inertia_kg_m2)[1], link.center_of_mass_m)


def link_arguments(asset: Asset, ordered: list[Joint], shapes: dict[str, int]) -> dict[str, list[Any]]:
    """Return what Bullet wants to know about the links below the root; `shapes` by link name."""
    links = {link.name: link for link in asset.links}
    index_of = {asset.links[0].name: 0} | {joint.child: i + 1 for i, joint in enumerate(ordered)}
    frames = [inertial_frame(links[joint.child]) for joint in ordered]
    return {
        "linkMasses": [links[joint.child].mass_kg.value for joint in ordered],
        "linkCollisionShapeIndices": [shapes[joint.child] for joint in ordered],
        "linkVisualShapeIndices": [-1] * len(ordered),
        "linkPositions": [joint.parent_from_child[:3, 3].tolist() for joint in ordered],
        "linkOrientations": [xyzw_of(joint.parent_from_child[:3, :3]) for joint in ordered],
        "linkInertialFramePositions": [frame[:3, 3].tolist() for frame in frames],
        "linkInertialFrameOrientations": [xyzw_of(frame[:3, :3]) for frame in frames],
        "linkParentIndices": [index_of[joint.parent] for joint in ordered],
        "linkJointTypes": [_JOINTS[joint.kind] for joint in ordered],
        "linkJointAxis": [joint.axis.tolist() for joint in ordered],
    }


def _primitive(piece: Piece) -> dict[str, Any]:
    kind = {"box": pybullet.GEOM_BOX, "cylinder": pybullet.GEOM_CYLINDER, "sphere": pybullet.GEOM_SPHERE}[piece.kind]
    return _entry(kind) | {
        "radii": float(piece.size_m[0] / 2.0),
        "halfExtents": (piece.size_m / 2.0).tolist(),
        "lengths": float(piece.size_m[2]),
        "collisionFramePositions": piece.link_from_piece[:3, 3].tolist(),
        "collisionFrameOrientations": xyzw_of(piece.link_from_piece[:3, :3]),
    }


def _hulls(path: Path) -> dict[str, Any]:
    return _entry(pybullet.GEOM_MESH) | {"fileNames": str(path)}


def _entry(kind: int) -> dict[str, Any]:
    return {
        "shapeTypes": kind,
        "radii": 1.0,
        "halfExtents": [1.0, 1.0, 1.0],
        "lengths": 1.0,
        "fileNames": "",
        "meshScales": [1.0, 1.0, 1.0],
        "collisionFramePositions": [0.0, 0.0, 0.0],
        "collisionFrameOrientations": [0.0, 0.0, 0.0, 1.0],
    }
