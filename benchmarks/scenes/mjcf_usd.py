"""MuJoCo models as USD in the style of other exporters: one layer, links below links or side by side.

What MuJoCo compiled is written: bodies with mass and principal inertia, geoms that collide and geoms that are only
seen, hinges, slides and welds. It feeds `check_foreign.py` with bodies that this project did not make.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics

TYPES = mujoco.mjtGeom


def write_usd(model: mujoco.MjModel, path: Path, *, nested: bool) -> None:
    """Write a compiled model as one USD layer; `nested` puts links below the links that carry them."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdPhysics.SetStageKilogramsPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/World").GetPrim())
    bodies = [body for body in range(1, model.nbody) if model.body_mass[body] > 0.0 or model.body_geomnum[body] > 0]
    paths: dict[int, str] = {0: "/World"}
    for body in bodies:
        parent = _carrier(model, body, bodies)
        paths[body] = f"{paths[parent] if nested else '/World'}/body_{body}"
        _write_body(model, data, stage, body, parent if nested else 0, paths[body])
        for geom in range(model.ngeom):
            if model.geom_bodyid[geom] == body:
                _write_geom(model, stage, geom, f"{paths[body]}/geom_{geom}")
    for body in bodies:
        _write_joint(model, data, stage, body, _carrier(model, body, bodies), paths)
    for body in bodies:
        if model.njnt > _frees(model) and _carrier(model, body, bodies) == 0:
            UsdPhysics.ArticulationRootAPI.Apply(stage.GetPrimAtPath(paths[body]))
    stage.Save()


def _frees(model: mujoco.MjModel) -> int:
    return int((model.jnt_type == mujoco.mjtJoint.mjJNT_FREE).sum())


def _carrier(model: mujoco.MjModel, body: int, bodies: list[int]) -> int:
    parent = int(model.body_parentid[body])
    while parent != 0 and parent not in bodies:
        parent = int(model.body_parentid[parent])
    return parent


def _pose(data: mujoco.MjData, body: int) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = data.xmat[body].reshape(3, 3), data.xpos[body]
    return pose


def _write_body(model: Any, data: Any, stage: Usd.Stage, body: int, parent: int, path: str) -> None:
    prim = UsdGeom.Xform.Define(stage, path)
    local = np.linalg.inv(_pose(data, parent)) @ _pose(data, body)
    matrix = Gf.Matrix4d(*local.T.ravel().tolist()).GetOrthonormalized()
    prim.AddTranslateOp().Set(matrix.ExtractTranslation())
    prim.AddOrientOp().Set(Gf.Quatf(matrix.ExtractRotationQuat()))
    UsdPhysics.RigidBodyAPI.Apply(prim.GetPrim())
    mass = UsdPhysics.MassAPI.Apply(prim.GetPrim())
    if model.body_mass[body] > 0.0:
        mass.CreateMassAttr(float(model.body_mass[body]))
        mass.CreateCenterOfMassAttr(Gf.Vec3f(*model.body_ipos[body].tolist()))
        mass.CreateDiagonalInertiaAttr(Gf.Vec3f(*model.body_inertia[body].tolist()))
        mass.CreatePrincipalAxesAttr(_quat(model.body_iquat[body]))


def _quat(quat_wxyz: Any) -> Gf.Quatf:
    w, x, y, z = (float(value) for value in quat_wxyz)
    return Gf.Quatf(w, x, y, z).GetNormalized()


def _write_geom(model: Any, stage: Usd.Stage, geom: int, path: str) -> None:
    kind, size = model.geom_type[geom], [float(value) for value in model.geom_size[geom]]
    shape: Any
    if kind == TYPES.mjGEOM_MESH:
        shape = _mesh(model, stage, int(model.geom_dataid[geom]), path)
    elif kind == TYPES.mjGEOM_BOX:
        shape = UsdGeom.Cube.Define(stage, path)
        shape.CreateSizeAttr(2.0)
    elif kind == TYPES.mjGEOM_SPHERE:
        shape = UsdGeom.Sphere.Define(stage, path)
        shape.CreateRadiusAttr(size[0])
    elif kind in (TYPES.mjGEOM_CAPSULE, TYPES.mjGEOM_CYLINDER):
        shape = (UsdGeom.Capsule if kind == TYPES.mjGEOM_CAPSULE else UsdGeom.Cylinder).Define(stage, path)
        shape.CreateRadiusAttr(size[0])
        shape.CreateHeightAttr(2.0 * size[1])
        shape.CreateAxisAttr("Z")
    else:
        return
    shape.CreateExtentAttr(UsdGeom.Boundable.ComputeExtentFromPlugins(shape, Usd.TimeCode.Default()))
    shape.AddTranslateOp().Set(Gf.Vec3d(*model.geom_pos[geom].tolist()))
    shape.AddOrientOp().Set(_quat(model.geom_quat[geom]))
    if kind == TYPES.mjGEOM_BOX:
        shape.AddScaleOp().Set(Gf.Vec3f(*size))
    if model.geom_contype[geom] or model.geom_conaffinity[geom]:
        shape.CreatePurposeAttr("guide")
        UsdPhysics.CollisionAPI.Apply(shape.GetPrim())
        if kind == TYPES.mjGEOM_MESH:
            UsdPhysics.MeshCollisionAPI.Apply(shape.GetPrim()).CreateApproximationAttr("convexHull")


def _mesh(model: Any, stage: Usd.Stage, mesh: int, path: str) -> UsdGeom.Mesh:
    start, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    first, faces = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
    shape = UsdGeom.Mesh.Define(stage, path)
    shape.CreatePointsAttr([Gf.Vec3f(*row) for row in model.mesh_vert[start : start + count].tolist()])
    shape.CreateFaceVertexCountsAttr([3] * int(faces))
    shape.CreateFaceVertexIndicesAttr(model.mesh_face[first : first + faces].ravel().tolist())
    shape.CreateSubdivisionSchemeAttr("none")
    return shape


def _write_joint(model: Any, data: Any, stage: Usd.Stage, body: int, parent: int, paths: dict[int, str]) -> None:
    """Write the body's joint to what carries it; a body of a tree without joints is free, as in MJCF objects."""
    count, index = int(model.body_jntnum[body]), int(model.body_jntadr[body])
    kind = model.jnt_type[index] if count else None
    if kind == mujoco.mjtJoint.mjJNT_FREE or (kind is None and parent == 0 and model.njnt == _frees(model)):
        return
    path, joint = f"/World/joint_{body}", None
    if kind == mujoco.mjtJoint.mjJNT_HINGE:
        joint = UsdPhysics.RevoluteJoint.Define(stage, path)
    elif kind == mujoco.mjtJoint.mjJNT_SLIDE:
        joint = UsdPhysics.PrismaticJoint.Define(stage, path)
    anchor, turn = np.zeros(3), Gf.Quatf(1.0)
    if joint is None:
        joint = UsdPhysics.FixedJoint.Define(stage, path)
    else:
        anchor = model.jnt_pos[index]
        turn = Gf.Quatf(Gf.Rotation(Gf.Vec3d(1, 0, 0), Gf.Vec3d(*model.jnt_axis[index].tolist())).GetQuat())
        joint.CreateAxisAttr("X")
        if model.jnt_limited[index]:
            unit = math.degrees(1.0) if kind == mujoco.mjtJoint.mjJNT_HINGE else 1.0
            joint.CreateLowerLimitAttr(float(model.jnt_range[index][0]) * unit)
            joint.CreateUpperLimitAttr(float(model.jnt_range[index][1]) * unit)
    parent_from_body = np.linalg.inv(_pose(data, parent)) @ _pose(data, body)
    matrix = Gf.Matrix4d(*parent_from_body.T.ravel().tolist()).GetOrthonormalized()
    if parent:
        joint.CreateBody0Rel().SetTargets([Sdf.Path(paths[parent])])
    joint.CreateBody1Rel().SetTargets([Sdf.Path(paths[body])])
    joint.CreateLocalPos0Attr(Gf.Vec3f(*(parent_from_body @ [*anchor, 1.0])[:3].tolist()))
    joint.CreateLocalPos1Attr(Gf.Vec3f(*anchor.tolist()))
    joint.CreateLocalRot0Attr(Gf.Quatf(matrix.ExtractRotationQuat()) * turn)
    joint.CreateLocalRot1Attr(turn)
