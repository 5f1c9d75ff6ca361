"""Bodies of a scene as PyBullet takes them: collision shapes, frames, links, and how they behave.

Bullet grows every convex hull by a collision margin of 1 mm and bodies float on it; here the margin is
0.01 mm (hulls of a URDF keep theirs, whatever `changeDynamics` is told: that is why bodies are built
from the scene's values, with the same rounded piece meshes that the URDF names). Bullet multiplies the friction and the
restitution of the two sides; each side gets its square root, so that a pair has the geometric mean. The solver goes
on until it has converged: leaving early, as Bullet does by default, lets bodies at rest creep by half a millimetre a
second.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pybullet

from cousins.errors import EngineError
from cousins.geometry import Array, quat_wxyz_from_rotation, rigid, rotation_from_quat_wxyz
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.scene.contact_friction import ROLLING_M, SPINNING_M
from cousins.scene.inertia import principal_inertia
from sim.physics.engine import GRAVITY_M_S2, Contact
from sim.physics.hulls import grouped_obj

LIMIT_FORCE: Final = 1e4
"""What a joint's stop may exert [N] or [N·m]; without it Bullet keeps no limit."""
RESIDUAL: Final = 1e-13
"""Squared change of the impulses at which the solver may stop; with Bullet's 1e-7 bodies at rest creep."""
BREAKING_M: Final = 0.02
"""Distance at which Bullet forgets a contact point [m]; its default, set because it outlives a client otherwise."""
CONTACT_ERP: Final = 0.08
"""Share of an overlap that a step takes away; Bullet's default, set for the same reason."""
NO_SPEED_LIMIT: Final = 1e6
"""Bullet silently cuts speeds at 100 m/s or rad/s, which would hide an explosion; this is never reached."""
PARTING_M: Final = 500.0
"""Height at which `tidy_up` lets two balls meet [m]."""
MOST_SHAPES: Final = 16
"""Shapes that Bullet's shared memory takes for one body (MAX_COMPOUND_COLLISION_SHAPES)."""
_JOINTS: Final = {
    "fixed": pybullet.JOINT_FIXED,
    "revolute": pybullet.JOINT_REVOLUTE,
    "prismatic": pybullet.JOINT_PRISMATIC,
}


def configure(
    client: int,
    *,
    timestep_s: float,
    solver_iterations: int,
    contact_erp: float = CONTACT_ERP,
    residual: float = RESIDUAL,
) -> None:
    """Empty a client and let it step as all engines agree."""
    pybullet.resetSimulation(physicsClientId=client)
    pybullet.setGravity(0.0, 0.0, -GRAVITY_M_S2, physicsClientId=client)
    pybullet.setPhysicsEngineParameter(
        fixedTimeStep=timestep_s,
        numSolverIterations=solver_iterations,
        solverResidualThreshold=residual,
        contactBreakingThreshold=BREAKING_M,
        contactERP=contact_erp,
        deterministicOverlappingPairs=1,
        enableFileCaching=0,
        physicsClientId=client,
    )


def tidy_up(client: int, ball: int, visual: int) -> None:
    """Let Bullet's broad phase forget the bodies that were removed, so that the next to come have one future.

    It looks for pairs that are near no more from where it stopped the step before, and begins anew only when it has
    removed the last one (`m_cid` of btDbvtBroadphase). So two balls meet high up, part, and are removed.
    """
    pair = [
        pybullet.createMultiBody(1.0, ball, visual, [0.0, 0.0, PARTING_M], physicsClientId=client) for _ in range(2)
    ]
    pybullet.stepSimulation(physicsClientId=client)
    far = [0.0, 0.0, 2.0 * PARTING_M]
    pybullet.resetBasePositionAndOrientation(pair[1], far, [0.0, 0.0, 0.0, 1.0], physicsClientId=client)
    pybullet.stepSimulation(physicsClientId=client)
    for body in reversed(pair):
        pybullet.removeBody(body, physicsClientId=client)


def shape_entries(pieces: tuple[Piece, ...]) -> tuple[list[dict[str, Any]], bytes]:
    """Return what Bullet wants to know about primitives, and an OBJ file of all other pieces, empty without any."""
    primitives = [piece for piece in pieces if piece.kind != "mesh"]
    if len(primitives) >= MOST_SHAPES:
        primitives = []
    meshes = [piece.mesh for piece in pieces if not any(piece is other for other in primitives)]
    return [_primitive(piece) for piece in primitives], grouped_obj(meshes) if meshes else b""


def created_shape(
    primitives: list[dict[str, Any]], obj: bytes, path: Path, client: int, *, margin_m: float, visual: int
) -> int:
    """Return Bullet's number of the compound that `shape_entries` describes; the OBJ file is written to `path`.

    Bullet takes a margin for the root of a body only, but bodies of one shape share its pieces: a body that is
    made for that and removed sets it for all. Without a `visual` shape Bullet would read the file twice.
    """
    shapes = list(primitives)
    if obj:
        path.write_bytes(obj)
        shapes.append(_hulls(path))
    keys = shapes[0].keys()
    shape = pybullet.createCollisionShapeArray(
        **{key: [one[key] for one in shapes] for key in keys}, physicsClientId=client
    )
    if shape < 0:
        raise EngineError(f"the collision shape of {path.stem} was refused", engine="pybullet")
    body = pybullet.createMultiBody(0.0, shape, visual, physicsClientId=client)
    pybullet.changeDynamics(body, -1, collisionMargin=margin_m, physicsClientId=client)
    pybullet.removeBody(body, physicsClientId=client)
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


def body_dynamics() -> dict[str, Any]:
    """Return what `changeDynamics` wants to know about a whole body: no damping but that of joints, no top speed.

    It takes these for a root only: in one call with numbers of another link, those too would go to the root.
    """
    return {"linearDamping": 0.0, "angularDamping": 0.0, "maxJointVelocity": NO_SPEED_LIMIT}


def link_dynamics(link: Link, *, fixed: bool) -> dict[str, Any]:
    """Return what `changeDynamics` wants to know about a link's mass."""
    moments, _ = principal_inertia(link.inertia_kg_m2)
    return {
        "mass": 0.0 if fixed else link.mass_kg.value,
        "localInertiaDiagonal": [0.0, 0.0, 0.0] if fixed else moments.tolist(),
        "jointDamping": 0.0,
    }


def surface_dynamics(friction: float, restitution: float) -> dict[str, Any]:
    """Return what `changeDynamics` wants to know about a surface."""
    return {
        "lateralFriction": float(np.sqrt(friction)),
        "restitution": float(np.sqrt(restitution)),
        "spinningFriction": SPINNING_M,
        "rollingFriction": ROLLING_M,
    }


def joint_dynamics(joint: Joint) -> dict[str, Any]:
    """Return what `changeDynamics` wants to know about a movable joint; its dry friction is a motor's force."""
    return {
        "jointLowerLimit": joint.lower,
        "jointUpperLimit": joint.upper,
        "jointLimitForce": LIMIT_FORCE,
        "jointDamping": joint.damping,
    }


def contacts_between(
    bodies: Mapping[str, int], *, still: Collection[str], client: int, rooted: Collection[str] = ()
) -> list[Contact]:
    """Return the contacts of the present state between bodies by name, without stepping; none among the still ones.

    Of the `rooted` ones the root link alone stands still.
    """
    names = list(bodies)
    found = []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            if first in still and second in still:
                continue
            points = pybullet.getClosestPoints(bodies[first], bodies[second], 0.0, physicsClientId=client)
            found += [
                Contact(first=first, second=second, depth_m=-float(point[8]), normal=tuple(point[7]))
                for point in points
                if not (first in rooted and second in still and point[3] == -1)
                and not (second in rooted and first in still and point[4] == -1)
            ]
    return found


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
