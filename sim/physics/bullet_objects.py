"""Arguments for PyBullet's bodies: collision shapes, frames, links and dynamics.

Bullet inflates every convex hull by a collision margin of 1 mm, and bodies float on it; here the margin is 0.01 mm. The
hulls of a URDF keep their margin whatever `changeDynamics` sets, so bodies are built from the scene's values, with the
same rounded meshes that the URDF refers to. Bullet multiplies the friction and restitution coefficients of the two
sides; each side gets the square root, so that a pair has the geometric mean. The solver iterates until it has
converged: with Bullet's default tolerance, bodies at rest creep by half a millimetre per second.
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
from cousins.reconstruct.inertia import principal_inertia
from cousins.scene.robot_formats.contact_friction import ROLLING_FRICTION_M, SPINNING_FRICTION_M
from sim.physics.engine import GRAVITY_M_S2, Contact
from sim.physics.hulls import grouped_obj

JOINT_LIMIT_FORCE: Final = 1e4
"""Largest force of a joint limit [N] or [N·m]; without it Bullet ignores the limit."""
SOLVER_RESIDUAL: Final = 1e-13
"""Squared impulse change at which the solver may stop [N²·s²]; with Bullet's 1e-7, bodies at rest creep."""
CONTACT_BREAKING_M: Final = 0.02
"""Distance at which Bullet drops a contact point [m]; the default, set because a changed value persists otherwise."""
CONTACT_ERP: Final = 0.08
"""Share of an overlap that one step removes; Bullet's default, set for the same reason."""
MAX_JOINT_SPEED: Final = 1e6
"""Speed limit of joints [m/s or rad/s]; Bullet's default of 100 would hide an explosion, this is never reached."""
SPHERE_HEIGHT_M: Final = 500.0
"""Height at which `reset_broad_phase` makes two spheres overlap [m]."""
MAX_SHAPES_PER_BODY: Final = 16
"""Largest number of shapes per body in Bullet's shared memory (MAX_COMPOUND_COLLISION_SHAPES)."""
_JOINT_TYPES: Final = {
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
    residual: float = SOLVER_RESIDUAL,
) -> None:
    """Reset a client and set gravity, time step and solver parameters to the conventions of all engines."""
    pybullet.resetSimulation(physicsClientId=client)
    pybullet.setGravity(0.0, 0.0, -GRAVITY_M_S2, physicsClientId=client)
    pybullet.setPhysicsEngineParameter(
        fixedTimeStep=timestep_s,
        numSolverIterations=solver_iterations,
        solverResidualThreshold=residual,
        contactBreakingThreshold=CONTACT_BREAKING_M,
        contactERP=contact_erp,
        deterministicOverlappingPairs=1,
        enableFileCaching=0,
        physicsClientId=client,
    )


def reset_broad_phase(client: int, sphere_shape: int, visual_shape: int) -> None:
    """Reset the state of Bullet's broad phase, so that the simulation does not depend on removed bodies.

    The broad phase looks for separated pairs from where it stopped in the previous step, and restarts from the first
    pair only after it has removed the last one (`m_cid` of btDbvtBroadphase). So two spheres are made to overlap high
    above the scene, separated, and removed.
    """
    spheres = [
        pybullet.createMultiBody(1.0, sphere_shape, visual_shape, [0.0, 0.0, SPHERE_HEIGHT_M], physicsClientId=client)
        for _ in range(2)
    ]
    pybullet.stepSimulation(physicsClientId=client)
    high_up = [0.0, 0.0, 2.0 * SPHERE_HEIGHT_M]
    pybullet.resetBasePositionAndOrientation(spheres[1], high_up, [0.0, 0.0, 0.0, 1.0], physicsClientId=client)
    pybullet.stepSimulation(physicsClientId=client)
    for body in reversed(spheres):
        pybullet.removeBody(body, physicsClientId=client)


def shape_entries(pieces: tuple[Piece, ...]) -> tuple[list[dict[str, Any]], bytes]:
    """Return the shape arguments of the primitives, and an OBJ file of all other pieces (empty if there are none)."""
    primitives = [piece for piece in pieces if piece.kind != "mesh"]
    if len(primitives) >= MAX_SHAPES_PER_BODY:
        primitives = []
    meshes = [piece.mesh for piece in pieces if not any(piece is other for other in primitives)]
    return [_primitive_entry(piece) for piece in primitives], grouped_obj(meshes) if meshes else b""


def create_shape(
    primitives: list[dict[str, Any]], obj: bytes, path: Path, client: int, *, margin_m: float, visual_shape: int
) -> int:
    """Return Bullet's index of the compound shape of `shape_entries`; the OBJ file is written to `path`.

    Bullet sets a margin for the root link of a body only, but bodies of one shape share its pieces: a temporary body
    sets the margin for all. Without a `visual_shape`, Bullet would read the file twice.
    """
    entries = list(primitives)
    if obj:
        path.write_bytes(obj)
        entries.append(_mesh_entry(path))
    keys = entries[0].keys()
    shape = pybullet.createCollisionShapeArray(
        **{key: [entry[key] for entry in entries] for key in keys}, physicsClientId=client
    )
    if shape < 0:
        raise EngineError(f"the collision shape of {path.stem} was refused", engine="pybullet")
    body = pybullet.createMultiBody(0.0, shape, visual_shape, physicsClientId=client)
    pybullet.changeDynamics(body, -1, collisionMargin=margin_m, physicsClientId=client)
    pybullet.removeBody(body, physicsClientId=client)
    return int(shape)


def pose_from_bullet(position: tuple[float, ...], xyzw: tuple[float, ...]) -> Array:
    """Return a pose [4, 4] from Bullet's position and quaternion."""
    return rigid(rotation_from_quat_wxyz(np.array([xyzw[3], *xyzw[:3]])), np.array(position))


def quat_xyzw_from_rotation(rotation: Array) -> list[float]:
    """Return Bullet's quaternion of a rotation [3, 3]."""
    w, x, y, z = quat_wxyz_from_rotation(rotation).tolist()
    return [x, y, z, w]


def inertial_frame(link: Link) -> Array:
    """Return `link_from_inertial` [4, 4]: the principal axes at the centre of mass."""
    return rigid(principal_inertia(link.inertia_kg_m2)[1], link.center_of_mass_m)


def body_dynamics() -> dict[str, Any]:
    """Return the arguments of `changeDynamics` for a whole body: no damping of free motion, no speed limit.

    They apply to the root link only: in one call with values of another link, those too would go to the root.
    """
    return {"linearDamping": 0.0, "angularDamping": 0.0, "maxJointVelocity": MAX_JOINT_SPEED}


def link_dynamics(link: Link, *, fixed: bool) -> dict[str, Any]:
    """Return the arguments of `changeDynamics` for a link's mass and inertia."""
    moments, _ = principal_inertia(link.inertia_kg_m2)
    return {
        "mass": 0.0 if fixed else link.mass_kg.value,
        "localInertiaDiagonal": [0.0, 0.0, 0.0] if fixed else moments.tolist(),
        "jointDamping": 0.0,
    }


def surface_dynamics(friction: float, restitution: float) -> dict[str, Any]:
    """Return the arguments of `changeDynamics` for friction and restitution."""
    return {
        "lateralFriction": float(np.sqrt(friction)),
        "restitution": float(np.sqrt(restitution)),
        "spinningFriction": SPINNING_FRICTION_M,
        "rollingFriction": ROLLING_FRICTION_M,
    }


def joint_dynamics(joint: Joint) -> dict[str, Any]:
    """Return the arguments of `changeDynamics` for a movable joint; its dry friction is set as a motor force."""
    return {
        "jointLowerLimit": joint.lower,
        "jointUpperLimit": joint.upper,
        "jointLimitForce": JOINT_LIMIT_FORCE,
        "jointDamping": joint.damping,
    }


def contacts_between(
    bodies: Mapping[str, int], *, static: Collection[str], client: int, static_roots: Collection[str] = ()
) -> list[Contact]:
    """Return the contacts between bodies by name in the current state, without stepping; none among `static` ones.

    Of the bodies in `static_roots`, only the root link is static.
    """
    names = list(bodies)
    contacts = []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            if first in static and second in static:
                continue
            points = pybullet.getClosestPoints(bodies[first], bodies[second], 0.0, physicsClientId=client)
            contacts += [
                Contact(first=first, second=second, depth_m=-float(point[8]), normal=tuple(point[7]))
                for point in points
                if not (first in static_roots and second in static and point[3] == -1)
                and not (second in static_roots and first in static and point[4] == -1)
            ]
    return contacts


def child_link_arguments(asset: Asset, joints: list[Joint], shapes: dict[str, int]) -> dict[str, list[Any]]:
    """Return the arguments of `createMultiBody` for the links below the root; `shapes` by link name."""
    links = {link.name: link for link in asset.links}
    index_of = {asset.links[0].name: 0} | {joint.child: i + 1 for i, joint in enumerate(joints)}
    frames = [inertial_frame(links[joint.child]) for joint in joints]
    return {
        "linkMasses": [links[joint.child].mass_kg.value for joint in joints],
        "linkCollisionShapeIndices": [shapes[joint.child] for joint in joints],
        "linkVisualShapeIndices": [-1] * len(joints),
        "linkPositions": [joint.parent_from_child[:3, 3].tolist() for joint in joints],
        "linkOrientations": [quat_xyzw_from_rotation(joint.parent_from_child[:3, :3]) for joint in joints],
        "linkInertialFramePositions": [frame[:3, 3].tolist() for frame in frames],
        "linkInertialFrameOrientations": [quat_xyzw_from_rotation(frame[:3, :3]) for frame in frames],
        "linkParentIndices": [index_of[joint.parent] for joint in joints],
        "linkJointTypes": [_JOINT_TYPES[joint.kind] for joint in joints],
        "linkJointAxis": [joint.axis.tolist() for joint in joints],
    }


def _primitive_entry(piece: Piece) -> dict[str, Any]:
    kind = {"box": pybullet.GEOM_BOX, "cylinder": pybullet.GEOM_CYLINDER, "sphere": pybullet.GEOM_SPHERE}[piece.kind]
    return _empty_entry(kind) | {
        "radii": float(piece.size_m[0] / 2.0),
        "halfExtents": (piece.size_m / 2.0).tolist(),
        "lengths": float(piece.size_m[2]),
        "collisionFramePositions": piece.link_from_piece[:3, 3].tolist(),
        "collisionFrameOrientations": quat_xyzw_from_rotation(piece.link_from_piece[:3, :3]),
    }


def _mesh_entry(path: Path) -> dict[str, Any]:
    return _empty_entry(pybullet.GEOM_MESH) | {"fileNames": str(path)}


def _empty_entry(kind: int) -> dict[str, Any]:
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
