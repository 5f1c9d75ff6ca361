"""Our own rules about a USD stage: what physics engines stumble over and the standard validators let pass."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from pxr import Usd, UsdGeom, UsdPhysics, UsdShade

from cousins.findings import Finding
from cousins.scene.usd_read import owner_body, world_from_prim

MAX_PRISMATIC_M: Final = 10.0
"""A slide that goes further than this [m] was meant in centimetres or millimetres."""
RIGID: Final = 1e-4
"""Largest difference of a body's axes from unit length."""


def check_units(stage: Usd.Stage) -> list[Finding]:
    """Return a finding for each of metres, kilograms and z up that a stage does not declare."""
    found = []
    if not stage.HasAuthoredMetadata("metersPerUnit") or UsdGeom.GetStageMetersPerUnit(stage) != 1.0:
        found.append(
            _unit("metersPerUnit", UsdGeom.GetStageMetersPerUnit(stage), "Scale lengths to metres and set it to 1.")
        )
    if not stage.HasAuthoredMetadata("kilogramsPerUnit") or UsdPhysics.GetStageKilogramsPerUnit(stage) != 1.0:
        value = UsdPhysics.GetStageKilogramsPerUnit(stage)
        found.append(_unit("kilogramsPerUnit", value, "Scale masses to kilograms and set it to 1."))
    if UsdGeom.GetStageUpAxis(stage) != UsdGeom.Tokens.z:
        found.append(_unit("upAxis", UsdGeom.GetStageUpAxis(stage), "Turn the root prim and set it to Z."))
    return found


def check_bodies(stage: Usd.Stage) -> list[Finding]:
    """Return findings about rigid bodies: colliders, nesting, mass, inertia, scale."""
    found: list[Finding] = []
    colliders: dict[str, list[Usd.Prim]] = {}
    bodies = []
    for prim in stage.Traverse(Usd.TraverseInstanceProxies()):
        if prim.HasAPI(UsdPhysics.RigidBodyAPI):
            bodies.append(prim)
        if prim.HasAPI(UsdPhysics.CollisionAPI):
            owner = owner_body(prim)
            colliders.setdefault(str(owner.GetPath()) if owner else "", []).append(prim)
    for body in bodies:
        own = colliders.get(str(body.GetPath()), [])
        found += _check_body(body, own)
    return found


def check_joints(stage: Usd.Stage) -> list[Finding]:
    """Return findings about joint limits in a wrong unit and about articulation roots."""
    found: list[Finding] = []
    groups: dict[str, str] = {}
    hinged: set[str] = set()
    for prim in stage.Traverse(Usd.TraverseInstanceProxies()):
        if not prim.IsA(UsdPhysics.Joint):
            continue
        found += _check_limits(prim)
        joint = UsdPhysics.Joint(prim)
        ends = [str(path) for rel in (joint.GetBody0Rel(), joint.GetBody1Rel()) for path in rel.GetTargets()]
        for end in ends:
            groups[_group(groups, end)] = _group(groups, ends[0])
        if ends and (prim.IsA(UsdPhysics.RevoluteJoint) or prim.IsA(UsdPhysics.PrismaticJoint)):
            hinged.add(ends[0])
    return found + _check_articulations(stage, groups, hinged)


def _check_body(body: Usd.Prim, colliders: list[Usd.Prim]) -> list[Finding]:
    where = str(body.GetPath())
    found: list[Finding] = []
    if not colliders:
        found.append(
            _error(
                "rigid-body-without-collider",
                where,
                "nothing under the rigid body collides",
                "Apply PhysicsCollisionAPI to a mesh or primitive below it.",
            )
        )
    above = owner_body(body.GetParent())
    if above is not None and not UsdGeom.Xformable(body).GetResetXformStack():
        found.append(
            _error(
                "nested-rigid-body",
                where,
                f"it lies inside the rigid body {above.GetPath()}",
                "Make them siblings and connect them with a joint.",
            )
        )
    found += _check_mass(body, colliders)
    axes = np.linalg.svd(world_from_prim(body)[:3, :3], compute_uv=False)
    if np.abs(axes - 1.0).max() > RIGID:
        found.append(
            _error(
                "scaled-rigid-body",
                where,
                f"its axes are scaled by {', '.join(f'{axis:.4g}' for axis in axes)}",
                "Bake the scale into the geometry below the body.",
            )
        )
    for collider in colliders:
        found += _check_approximation(collider)
    return found


def _check_mass(body: Usd.Prim, colliders: list[Usd.Prim]) -> list[Finding]:
    where = str(body.GetPath())
    masses = [_authored(prim, "physics:mass") for prim in (body, *colliders)]
    densities = [_authored(prim, "physics:density") for prim in (body, *colliders)]
    densities += [_authored(material, "physics:density") for material in _materials([body, *colliders])]
    bad = [value for value in (*masses, *densities) if value is not None and (value < 0.0 or not math.isfinite(value))]
    if bad:
        return [_error("bad-mass", where, f"a mass or density of {bad[0]:g}", "Give it a positive physics:mass [kg].")]
    if not any(value for value in (*masses, *densities)):
        return [
            _error(
                "missing-mass",
                where,
                "neither a mass nor a density above zero is authored",
                "Apply PhysicsMassAPI and set physics:mass [kg].",
            )
        ]
    inertia = body.GetAttribute("physics:diagonalInertia")
    if inertia and inertia.HasAuthoredValue():
        moments = sorted(float(value) for value in inertia.Get())
        if any(moments) and (moments[0] <= 0.0 or moments[0] + moments[1] < moments[2] * (1.0 - 1e-4)):
            text = ", ".join(f"{value:.4g}" for value in moments)
            return [
                _error(
                    "impossible-inertia",
                    where,
                    f"no body has the principal moments {text}",
                    "Compute them from the geometry: each is at most the sum of the other two.",
                )
            ]
    return []


def _check_approximation(collider: Usd.Prim) -> list[Finding]:
    if not collider.IsA(UsdGeom.Mesh):
        return []
    approximation = UsdPhysics.MeshCollisionAPI(collider).GetApproximationAttr()
    chosen = approximation.Get() if approximation else "none"
    if chosen not in (None, "none"):
        return []
    return [
        Finding(
            rule="triangle-mesh-on-moving-body",
            severity="warning",
            where=str(collider.GetPath()),
            message="a moving body collides with its triangles, which engines refuse or replace by one hull",
            fix="Set physics:approximation to convexHull on convex pieces, or convexDecomposition.",
        )
    ]


def _check_limits(prim: Usd.Prim) -> list[Finding]:
    turns = prim.IsA(UsdPhysics.RevoluteJoint)
    if not turns and not prim.IsA(UsdPhysics.PrismaticJoint):
        return []
    limits = [_authored(prim, name) for name in ("physics:lowerLimit", "physics:upperLimit")]
    finite = [value for value in limits if value is not None and math.isfinite(value)]
    if not finite:
        return []
    largest = max(abs(value) for value in finite)
    text = " to ".join(f"{value:g}" for value in finite)
    if turns and 0.0 < largest <= 2.0 * math.pi:
        message = f"limits of {text}: USD means degrees, and these look like radians"
        return [_limit(prim, message, "Multiply by 180/π.")]
    if not turns and largest > MAX_PRISMATIC_M:
        return [_limit(prim, f"limits of {text} m: these look like centimetres", "Give metres.")]
    return []


def _check_articulations(stage: Usd.Stage, groups: dict[str, str], hinged: set[str]) -> list[Finding]:
    found: list[Finding] = []
    roots: dict[str, list[str]] = {}
    for prim in stage.Traverse(Usd.TraverseInstanceProxies()):
        if not prim.HasAPI(UsdPhysics.ArticulationRootAPI):
            continue
        where = str(prim.GetPath())
        members = {_group(groups, end) for end in groups if end == where or end.startswith(f"{where}/")}
        for member in sorted(members) or [where]:
            roots.setdefault(member, []).append(where)
    for paths in roots.values():
        if len(paths) > 1:
            found.append(
                _error(
                    "several-articulation-roots",
                    paths[1],
                    f"the articulation of {paths[0]} has {len(paths)} roots",
                    "Keep PhysicsArticulationRootAPI on one prim.",
                )
            )
    for start in sorted({_group(groups, end) for end in hinged}):
        if start not in roots:
            found.append(
                Finding(
                    rule="missing-articulation-root",
                    severity="warning",
                    where=start,
                    message="joints connect bodies without an articulation root",
                    fix="Apply PhysicsArticulationRootAPI to the base body.",
                )
            )
    return found


def _group(groups: dict[str, str], name: str) -> str:
    while groups.get(name, name) != name:
        name = groups[name]
    groups.setdefault(name, name)
    return name


def _materials(prims: list[Usd.Prim]) -> list[Usd.Prim]:
    found = []
    for prim in prims:
        material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial("physics")
        if material:
            found.append(material.GetPrim())
    return found


def _authored(prim: Usd.Prim, name: str) -> float | None:
    attribute = prim.GetAttribute(name)
    value = attribute.Get() if attribute and attribute.HasAuthoredValue() else None
    return float(value) if isinstance(value, int | float) else None


def _unit(name: str, value: object, fix: str) -> Finding:
    return _error("wrong-unit", "/", f"{name} is {value} or not authored", fix)


def _limit(prim: Usd.Prim, message: str, fix: str) -> Finding:
    return Finding(rule="joint-limit-unit", severity="error", where=str(prim.GetPath()), message=message, fix=fix)


def _error(rule: str, where: str, message: str, fix: str) -> Finding:
    return Finding(rule=rule, severity="error", where=where, message=message, fix=fix)
