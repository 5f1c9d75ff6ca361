"""Faults to plant into any USD file: each changes one thing and has the name of the rule that must find it.

A fault that a file has no place for (a hinge's limits without a hinge) returns False and is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics

Fault = Callable[[Usd.Stage], bool | None]


def bodies(stage: Usd.Stage) -> list[Usd.Prim]:
    """Return the rigid bodies that have colliders."""
    return [
        prim for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.RigidBodyAPI) and any(True for _ in colliders(prim))
    ]


def colliders(body: Usd.Prim) -> Iterator[Usd.Prim]:
    """Yield the colliders of a body, without those of bodies below it."""
    walk = iter(Usd.PrimRange(body))
    for prim in walk:
        if prim != body and prim.HasAPI(UsdPhysics.RigidBodyAPI):
            walk.PruneChildren()
        elif prim.HasAPI(UsdPhysics.CollisionAPI):
            yield prim


def _joints(stage: Usd.Stage, kind: type) -> list[Usd.Prim]:
    return [prim for prim in stage.Traverse() if prim.IsA(kind)]


def no_collider(stage: Usd.Stage) -> None:
    for prim in list(colliders(bodies(stage)[-1])):
        prim.RemoveAPI(UsdPhysics.CollisionAPI)
        UsdGeom.Imageable(prim).CreatePurposeAttr("default")


def nested(stage: Usd.Stage) -> None:
    path = f"{bodies(stage)[-1].GetPath()}/planted"
    prim = UsdGeom.Xform.Define(stage, path).GetPrim()
    UsdPhysics.RigidBodyAPI.Apply(prim)
    UsdPhysics.MassAPI.Apply(prim).CreateMassAttr(0.1)
    UsdPhysics.CollisionAPI.Apply(UsdGeom.Cube.Define(stage, f"{path}/cube").GetPrim())


def no_mass(stage: Usd.Stage) -> None:
    body = bodies(stage)[-1]
    for prim in (body, *colliders(body)):
        for name in ("physics:mass", "physics:density"):
            if prim.GetAttribute(name):
                prim.GetAttribute(name).Block()


def _mass(stage: Usd.Stage, value: float) -> None:
    UsdPhysics.MassAPI.Apply(bodies(stage)[-1]).CreateMassAttr(value)


def negative_mass(stage: Usd.Stage) -> None:
    _mass(stage, -1.0)


def mass_not_a_number(stage: Usd.Stage) -> None:
    _mass(stage, math.nan)


def wild_inertia(stage: Usd.Stage) -> None:
    UsdPhysics.MassAPI.Apply(bodies(stage)[-1]).CreateDiagonalInertiaAttr(Gf.Vec3f(1, 1, 5))


def centimetres(stage: Usd.Stage) -> None:
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)


def no_metres(stage: Usd.Stage) -> None:
    stage.GetRootLayer().pseudoRoot.ClearInfo("metersPerUnit")


def grams(stage: Usd.Stage) -> None:
    UsdPhysics.SetStageKilogramsPerUnit(stage, 0.001)


def y_up(stage: Usd.Stage) -> None:
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)


def radians(stage: Usd.Stage) -> bool:
    for prim in _joints(stage, UsdPhysics.RevoluteJoint):
        hinge = UsdPhysics.RevoluteJoint(prim)
        limits = [attribute.Get() for attribute in (hinge.GetLowerLimitAttr(), hinge.GetUpperLimitAttr())]
        if all(limit is not None and math.isfinite(limit) for limit in limits):
            hinge.GetLowerLimitAttr().Set(math.radians(limits[0]))
            hinge.GetUpperLimitAttr().Set(math.radians(limits[1]))
            return True
    return False


def long_slide(stage: Usd.Stage) -> bool:
    slides = _joints(stage, UsdPhysics.PrismaticJoint)
    for slide in slides:
        UsdPhysics.PrismaticJoint(slide).CreateUpperLimitAttr(30.0)
    return bool(slides)


def swapped_limits(stage: Usd.Stage) -> bool:
    hinges = _joints(stage, UsdPhysics.RevoluteJoint)
    for prim in hinges:
        hinge = UsdPhysics.RevoluteJoint(prim)
        hinge.CreateLowerLimitAttr(90.0)
        hinge.CreateUpperLimitAttr(-90.0)
    return bool(hinges)


def lost_joint_body(stage: Usd.Stage) -> bool:
    joints = _joints(stage, UsdPhysics.Joint)
    for joint in joints[:1]:
        UsdPhysics.Joint(joint).CreateBody1Rel().SetTargets([Sdf.Path("/nowhere")])
    return bool(joints)


def two_roots(stage: Usd.Stage) -> bool:
    roots = [prim for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.ArticulationRootAPI)]
    if roots:
        UsdPhysics.ArticulationRootAPI.Apply(bodies(stage)[-1])
    return bool(roots)


def no_root(stage: Usd.Stage) -> bool:
    roots = [prim for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.ArticulationRootAPI)]
    for root in roots:
        root.RemoveAPI(UsdPhysics.ArticulationRootAPI)
    return bool(roots)


def _scale(stage: Usd.Stage, factors: tuple[float, float, float]) -> None:
    UsdGeom.Xformable(bodies(stage)[-1]).AddScaleOp(opSuffix="planted").Set(Gf.Vec3f(*factors))


def stretched(stage: Usd.Stage) -> None:
    _scale(stage, (1.0, 2.0, 1.0))


def mirrored(stage: Usd.Stage) -> None:
    _scale(stage, (-1.0, 1.0, 1.0))


def colliders_too_large(stage: Usd.Stage) -> bool:
    for body in bodies(stage):
        visuals = [
            prim
            for prim in Usd.PrimRange(body)
            if prim.IsA(UsdGeom.Mesh) and UsdGeom.Imageable(prim).ComputePurpose() in ("default", "render")
        ]
        if visuals:
            for prim in colliders(body):
                UsdGeom.Xformable(prim).AddTranslateOp(opSuffix="planted").Set(Gf.Vec3d(0.0, 0.0, 0.3))
            return True
    return False


def triangles(stage: Usd.Stage) -> bool:
    meshes = [prim for body in bodies(stage) for prim in colliders(body) if prim.IsA(UsdGeom.Mesh)]
    for prim in meshes[:1]:
        UsdPhysics.MeshCollisionAPI.Apply(prim).CreateApproximationAttr("none")
    return bool(meshes)


def no_default_prim(stage: Usd.Stage) -> None:
    stage.ClearDefaultPrim()


def _sublayer(stage: Usd.Stage, asset: str) -> None:
    stage.GetRootLayer().subLayerPaths.append(asset)


def outside_layer(stage: Usd.Stage) -> None:
    _sublayer(stage, "../outside.usda")


def missing_layer(stage: Usd.Stage) -> None:
    _sublayer(stage, "./missing.usda")


def web_layer(stage: Usd.Stage) -> None:
    _sublayer(stage, "http://example.com/x.usda")


def absolute_texture(stage: Usd.Stage) -> None:
    prim = stage.GetDefaultPrim() or stage.DefinePrim("/planted")
    prim.CreateAttribute("icon", Sdf.ValueTypeNames.Asset).Set(Sdf.AssetPath("/home/me/wood.png"))


PHYSICAL: dict[Fault, str] = {
    no_collider: "rigid-body-without-collider",
    nested: "nested-rigid-body",
    no_mass: "missing-mass",
    negative_mass: "bad-mass",
    mass_not_a_number: "bad-mass",
    wild_inertia: "impossible-inertia",
    centimetres: "wrong-unit",
    no_metres: "wrong-unit",
    grams: "wrong-unit",
    y_up: "wrong-unit",
    radians: "joint-limit-unit",
    long_slide: "joint-limit-unit",
    swapped_limits: "joint-limit-unit",
    lost_joint_body: "usd:PhysicsJointChecker.JointInvalidPrimRel",
    two_roots: "several-articulation-roots",
    no_root: "missing-articulation-root",
    stretched: "scaled-rigid-body",
    mirrored: "scaled-rigid-body",
    colliders_too_large: "collider-far-from-looks",
    triangles: "triangle-mesh-on-moving-body",
}
"""Faults of a file with bodies, and the rule that finds each."""
ANY: dict[Fault, str] = {
    no_default_prim: "usd:StageMetadataChecker.MissingDefaultPrim",
    outside_layer: "escaping-path",
    missing_layer: "missing-file",
    web_layer: "uri-path",
    absolute_texture: "absolute-path",
}
"""Faults of any file."""
