"""Anyone's MJCF of a robot, such as those of MuJoCo Menagerie, compiled by MuJoCo itself.

Masses and inertias are those that the compiler has; each collision mesh becomes its convex hull. What is fixed to a
moving body is merged into it. The root stands still where the file has it; the floor and lights are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import mujoco
import numpy as np

from cousins.geometry import Array, rigid, rotation_from_quat_wxyz, transform
from cousins.meshes import Mesh, concatenate
from cousins.reconstruct.assets import Joint, Link, Piece
from sim.bodies.files.hulls import PAINT, reduced_hull
from sim.bodies.files.robot_model import RobotModel, robot_error
from sim.bodies.parts import shapeless_link
from sim.physics.simple_assets import box_piece, cylinder_piece, exact_quantity, make_link, sphere_piece

HINGE_LIMIT_RAD: Final = float(np.pi)
"""Limit of a hinge without one [rad]."""
SLIDE_LIMIT_M: Final = 1.0
"""Limit of a slide without one [m]."""
LIGHTEST_KG: Final = 1e-3
"""Links that weigh less weigh this much [kg]."""
EXPECTED: Final = "the MJCF of one robot that stands still, its meshes beside it"


def read_mjcf_robot(path: Path, *, looks: bool) -> RobotModel:
    """Return the robot of an MJCF; `looks` reads visual meshes too. Raises `CaptureError`."""
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        if not looks:
            _drop_visuals(spec)
        model = spec.compile()
    except (ValueError, OSError, mujoco.FatalError) as error:
        reason = " ".join(str(error).split())[:200]
        raise robot_error(path, f"what MuJoCo refuses ({reason})", expected=EXPECTED, hint="Repair it.") from error
    _require_one_fixed_robot(model, path)
    tree = _Tree(model)
    forces = _force_limits(model)
    return RobotModel(
        links=tuple(_link(tree, name, looks=looks) for name in tree.members),
        joints=tuple(tree.joints),
        frames=_frames(tree),
        max_force=forces,
        max_speed={},
        armature={
            model.joint(j).name or f"joint_{j}": float(model.dof_armature[model.jnt_dofadr[j]])
            for j in range(model.njnt)
        },
        home=_home(model),
    )


class _Tree:
    """Moving links of a compiled model: which bodies belong to each, and where they lie in it."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.members: dict[str, list[int]] = {}
        self.joints: list[Joint] = []
        self.owner: dict[int, str] = {}
        self.link_from_body: dict[int, Array] = {}
        for body in range(1, model.nbody):
            self._add(body)

    def _add(self, body: int) -> None:
        model, parent = self.model, int(self.model.body_parentid[body])
        pose = rigid(rotation_from_quat_wxyz(model.body_quat[body]), model.body_pos[body])
        name = model.body(body).name or f"body_{body}"
        count, first = int(model.body_jntnum[body]), int(model.body_jntadr[body])
        owner = self.owner.get(parent, f"{name}_mount" if count else name)
        pose = self.link_from_body.get(parent, np.eye(4)) @ pose
        if not self.members:
            self.members[owner] = []
        for number in range(count):
            joint = first + number
            child = name if number == count - 1 else f"{name}_{number}"
            anchor = np.asarray(model.jnt_pos[joint], dtype=np.float64)
            self.joints.append(self._joint(joint, owner, child, pose @ rigid(translation=anchor)))
            self.members[child] = []
            owner, pose = child, rigid(translation=-anchor)
        self.members[owner].append(body)
        self.owner[body], self.link_from_body[body] = owner, pose

    def _joint(self, number: int, parent: str, child: str, pose: Array) -> Joint:
        model = self.model
        hinge = int(model.jnt_type[number]) == int(mujoco.mjtJoint.mjJNT_HINGE)
        limit = HINGE_LIMIT_RAD if hinge else SLIDE_LIMIT_M
        lower, upper = model.jnt_range[number] if model.jnt_limited[number] else (-limit, limit)
        dof = int(model.jnt_dofadr[number])
        return Joint(
            name=model.joint(number).name or f"joint_{number}",
            kind="revolute" if hinge else "prismatic",
            parent=parent,
            child=child,
            parent_from_child=pose,
            axis=np.array(model.jnt_axis[number], dtype=np.float64),
            lower=float(lower),
            upper=float(upper),
            damping=float(np.ravel(model.dof_damping[dof])[0]),
            friction=float(model.dof_frictionloss[dof]),
        )


def _drop_visuals(spec: Any) -> None:
    """Remove geoms that touch nothing, and meshes that no geom needs: their files are not read."""
    for geom in list(spec.geoms):
        if geom.contype == 0 and geom.conaffinity == 0 and _has_inertia(geom):
            spec.delete(geom)
    used = {geom.meshname for geom in spec.geoms}
    for mesh in list(spec.meshes):
        if mesh.name not in used:
            spec.delete(mesh)


def _has_inertia(geom: Any) -> bool:
    """Return whether a geom's body declares its inertia, so that the geom is not needed for it."""
    return bool(geom.parent.explicitinertial) or geom.parent.name == "world"


def _require_one_fixed_robot(model: Any, path: Path) -> None:
    roots = [model.body(b).name for b in range(1, model.nbody) if model.body_parentid[b] == 0]
    if len(roots) != 1:
        hint = "Leave one robot in it; objects and furniture belong to the scene."
        raise robot_error(path, f"{len(roots)} bodies in the world", expected=EXPECTED, hint=hint, names=roots)
    kinds = (int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE))
    for joint in range(model.njnt):
        if int(model.jnt_type[joint]) not in kinds:
            name = model.joint(joint).name or f"joint_{joint}"
            problem = f"a free or ball joint {name!r}"
            raise robot_error(path, problem, expected="hinges and slides", hint="Fix the base: leave the joint out.")


def _link(tree: _Tree, name: str, *, looks: bool) -> Link:
    """Return a moving link with the pieces, mass and inertia of all bodies that belong to it."""
    model = tree.model
    pieces: list[Piece] = []
    visuals: list[Mesh] = []
    for body in tree.members[name]:
        first = int(model.body_geomadr[body])
        for geom in range(first, first + int(model.body_geomnum[body])):
            pose = tree.link_from_body[body] @ rigid(
                rotation_from_quat_wxyz(model.geom_quat[geom]), model.geom_pos[geom]
            )
            collides = bool(model.geom_contype[geom] or model.geom_conaffinity[geom])
            if collides:
                pieces += _pieces(model, geom, pose)
            elif looks and int(model.geom_type[geom]) == int(mujoco.mjtGeom.mjGEOM_MESH):
                visuals.append(_mesh(model, geom, pose))
    mass_kg, center_m, inertia = _mass(tree, name)
    shape = make_link(name, pieces, mass_kg=mass_kg) if pieces else shapeless_link(name, mass_kg=mass_kg)
    visual = concatenate(visuals) if visuals else shape.visual
    colors = np.tile(np.array(PAINT, dtype=np.uint8), (len(visual.vertices), 1))
    return replace(
        shape,
        visual=replace(visual, colors=colors),
        mass_kg=exact_quantity(mass_kg),
        center_of_mass_m=center_m if inertia is not None else shape.center_of_mass_m,
        inertia_kg_m2=inertia if inertia is not None else shape.inertia_kg_m2,
    )


def _mass(tree: _Tree, name: str) -> tuple[float, Array, Array | None]:
    """Return mass [kg], centre of mass [3] [m] and inertia [3, 3] [kg·m²] of a link; None for a negligible mass."""
    model, mass_kg, moment = tree.model, 0.0, np.zeros(3)
    parts = []
    for body in tree.members[name]:
        pose = tree.link_from_body[body] @ rigid(rotation_from_quat_wxyz(model.body_iquat[body]), model.body_ipos[body])
        mass = float(model.body_mass[body])
        parts.append((mass, pose, np.array(model.body_inertia[body])))
        mass_kg += mass
        moment += mass * pose[:3, 3]
    if mass_kg < LIGHTEST_KG:
        return LIGHTEST_KG, np.zeros(3), None
    center_m, inertia = moment / mass_kg, np.zeros((3, 3))
    for mass, pose, principal in parts:
        offset = pose[:3, 3] - center_m
        inertia += pose[:3, :3] @ np.diag(principal) @ pose[:3, :3].T
        inertia += mass * (offset @ offset * np.eye(3) - np.outer(offset, offset))
    return mass_kg, center_m, 0.5 * (inertia + inertia.T)


def _pieces(model: Any, geom: int, pose: Array) -> list[Piece]:
    """Return the convex pieces of a geom at a pose [4, 4] in its link's frame; none for planes and height fields."""
    kind, size = int(model.geom_type[geom]), np.asarray(model.geom_size[geom], dtype=np.float64)
    shapes = mujoco.mjtGeom
    if kind == int(shapes.mjGEOM_MESH):
        return [reduced_hull(_mesh(model, geom, pose).vertices)]
    if kind == int(shapes.mjGEOM_BOX):
        piece = box_piece((2.0 * size).tolist())
    elif kind == int(shapes.mjGEOM_SPHERE):
        piece = sphere_piece(float(size[0]))
    elif kind == int(shapes.mjGEOM_CYLINDER):
        piece = cylinder_piece(float(size[0]), 2.0 * float(size[1]))
    elif kind in (int(shapes.mjGEOM_CAPSULE), int(shapes.mjGEOM_ELLIPSOID)):
        return [reduced_hull(transform(pose, _rounded(size, capsule=kind == int(shapes.mjGEOM_CAPSULE))))]
    else:
        return []
    return [replace(piece, mesh=piece.mesh.transformed(pose), link_from_piece=pose)]


def _rounded(size: Array, *, capsule: bool) -> Array:
    """Return points [n, 3] on a capsule (radius, half length) or on an ellipsoid (half axes), in its own frame [m]."""
    ball = sphere_piece(1.0).mesh.vertices
    if not capsule:
        return np.asarray(ball * size)
    ends = np.where(ball[:, 2:] >= 0.0, 1.0, -1.0) * np.array([0.0, 0.0, size[1]])
    return np.asarray(ball * size[0] + ends)


def _mesh(model: Any, geom: int, pose: Array) -> Mesh:
    mesh = int(model.geom_dataid[geom])
    vertex, face = int(model.mesh_vertadr[mesh]), int(model.mesh_faceadr[mesh])
    vertices = model.mesh_vert[vertex : vertex + int(model.mesh_vertnum[mesh])]
    faces = model.mesh_face[face : face + int(model.mesh_facenum[mesh])]
    return Mesh(vertices=np.array(vertices, dtype=np.float64), faces=np.array(faces, dtype=np.int32)).transformed(pose)


def _frames(tree: _Tree) -> dict[str, tuple[str, Array]]:
    model = tree.model
    frames = {name: (name, np.eye(4)) for name in tree.members}
    for body in range(1, model.nbody):
        frames[model.body(body).name or f"body_{body}"] = (tree.owner[body], tree.link_from_body[body])
    for site in range(model.nsite):
        body, name = int(model.site_bodyid[site]), model.site(site).name
        if name and body in tree.owner:
            pose = rigid(rotation_from_quat_wxyz(model.site_quat[site]), model.site_pos[site])
            frames[name] = (tree.owner[body], tree.link_from_body[body] @ pose)
    return frames


def _force_limits(model: Any) -> dict[str, float]:
    """Return the force limit of each joint: of its own, of its actuator, or its share of its tendon's actuator."""
    limits: dict[str, float] = {}
    for joint in range(model.njnt):
        if model.jnt_actfrclimited[joint]:
            limits[model.joint(joint).name or f"joint_{joint}"] = float(model.jnt_actfrcrange[joint][1])
    for actuator in range(model.nu):
        gear = abs(float(model.actuator_gear[actuator][0]))
        if model.actuator_forcelimited[actuator]:
            limit = gear * float(np.abs(model.actuator_forcerange[actuator]).max())
        elif model.actuator_ctrllimited[actuator] and not model.actuator_biastype[actuator]:
            limit = gear * float(model.actuator_gainprm[actuator][0] * np.abs(model.actuator_ctrlrange[actuator]).max())
        else:
            continue
        for joint, share in _driven(model, actuator).items():
            limits.setdefault(model.joint(joint).name or f"joint_{joint}", limit * share)
    return limits


def _driven(model: Any, actuator: int) -> Mapping[int, float]:
    """Return the joints that an actuator drives, by number, with their share of its force."""
    kind, target = int(model.actuator_trntype[actuator]), int(model.actuator_trnid[actuator][0])
    if kind == int(mujoco.mjtTrn.mjTRN_JOINT):
        return {target: 1.0}
    if kind != int(mujoco.mjtTrn.mjTRN_TENDON):
        return {}
    first = int(model.tendon_adr[target])
    wraps = range(first, first + int(model.tendon_num[target]))
    joints = [wrap for wrap in wraps if int(model.wrap_type[wrap]) == int(mujoco.mjtWrap.mjWRAP_JOINT)]
    return {int(model.wrap_objid[wrap]): abs(float(model.wrap_prm[wrap])) for wrap in joints}


def _home(model: Any) -> dict[str, float]:
    """Return joint positions of the keyframe `home`, else of the first one; empty without any."""
    if model.nkey == 0:
        return {}
    names = [model.key(key).name for key in range(model.nkey)]
    qpos = model.key_qpos[names.index("home") if "home" in names else 0]
    return {
        model.joint(joint).name or f"joint_{joint}": float(qpos[model.jnt_qposadr[joint]])
        for joint in range(model.njnt)
    }
