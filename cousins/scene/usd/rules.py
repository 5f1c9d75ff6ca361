"""Rules about rigid bodies of a USD stage that the standard validators do not check but physics engines need.

Units and joints are checked in `unit_rules.py` and `joint_rules.py`.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from pxr import Usd, UsdGeom, UsdPhysics, UsdShade

from cousins.findings import Finding
from cousins.scene.usd.joint_rules import joined_bodies
from cousins.scene.usd.reader import authored, owner_body, world_from_prim

UNIT_AXIS_TOLERANCE: Final = 1e-4
"""Largest difference of a body's axes from unit length."""


def check_bodies(stage: Usd.Stage) -> list[Finding]:
    """Return findings about rigid bodies: colliders, nesting, mass, inertia, scale."""
    colliders: dict[str, list[Usd.Prim]] = {}
    visual_bodies: set[str] = set()
    bodies = []
    for prim in stage.Traverse(Usd.TraverseInstanceProxies()):
        if prim.HasAPI(UsdPhysics.RigidBodyAPI):
            bodies.append(prim)
        if not prim.IsA(UsdGeom.Gprim):
            continue
        owner = owner_body(prim)
        path = str(owner.GetPath()) if owner else ""
        visual_bodies.add(path)
        if prim.HasAPI(UsdPhysics.CollisionAPI):
            colliders.setdefault(path, []).append(prim)
    joined = joined_bodies(stage)
    findings: list[Finding] = []
    for body in bodies:
        path = str(body.GetPath())
        body_colliders = colliders.get(path, [])
        if not body_colliders:
            findings += _check_missing_collider(path, is_visible=path in visual_bodies, joined=path in joined)
        findings += _check_nesting(body, joined=path in joined)
        findings += _check_mass(body, body_colliders)
        findings += _check_axes(body)
        for collider in body_colliders:
            findings += _check_approximation(collider)
    return findings


def _check_missing_collider(path: str, *, is_visible: bool, joined: bool) -> list[Finding]:
    """Return findings about a body without colliders: a frame on a robot needs none, a free body falls."""
    if joined and not is_visible:
        return []
    return [
        Finding(
            rule="rigid-body-without-collider",
            severity="warning" if joined else "error",
            where=path,
            message="nothing under the rigid body collides, so things pass through it",
            fix="Apply PhysicsCollisionAPI to a mesh or primitive below it.",
        )
    ]


def _check_nesting(body: Usd.Prim, *, joined: bool) -> list[Finding]:
    """Return findings about a body below a body: nested links are legal where joints connect them."""
    above = owner_body(body.GetParent())
    if above is None or joined or UsdGeom.Xformable(body).GetResetXformStack():
        return []
    return [
        _error(
            "nested-rigid-body",
            str(body.GetPath()),
            f"it lies inside the rigid body {above.GetPath()} and no joint holds it",
            "Make them siblings, or connect them with a joint.",
        )
    ]


def _check_axes(body: Usd.Prim) -> list[Finding]:
    path, axes = str(body.GetPath()), world_from_prim(body)[:3, :3]
    if not np.isfinite(axes).all():
        return [_error("bad-transform", path, "its transform is not finite", "Author finite xformOps.")]
    lengths = np.linalg.svd(axes, compute_uv=False)
    if np.abs(lengths - 1.0).max() <= UNIT_AXIS_TOLERANCE and np.linalg.det(axes) > 0.0:
        return []
    mirrored = " and mirrored" if np.linalg.det(axes) < 0.0 else ""
    return [
        _error(
            "scaled-rigid-body",
            path,
            f"its axes are scaled by {', '.join(f'{length:.4g}' for length in lengths)}{mirrored}",
            "Bake the scale into the geometry below the body.",
        )
    ]


def _check_mass(body: Usd.Prim, colliders: list[Usd.Prim]) -> list[Finding]:
    path = str(body.GetPath())
    masses = [authored(prim, "physics:mass") for prim in (body, *colliders)]
    densities = [authored(prim, "physics:density") for prim in (body, *colliders)]
    densities += [authored(material, "physics:density") for material in _materials([body, *colliders])]
    invalid = [
        value for value in (*masses, *densities) if value is not None and (value < 0.0 or not math.isfinite(value))
    ]
    if invalid:
        return [
            _error("bad-mass", path, f"a mass or density of {invalid[0]:g}", "Give it a positive physics:mass [kg].")
        ]
    if not any(value for value in (*masses, *densities)):
        return [
            Finding(
                rule="missing-mass",
                severity="warning",
                where=path,
                message="neither a mass nor a density above zero is authored: engines guess, most of them 1000 kg/m³",
                fix="Apply PhysicsMassAPI and set physics:mass [kg].",
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
                    path,
                    f"no body has the principal moments {text}",
                    "Compute them from the geometry: each is at most the sum of the other two.",
                )
            ]
    return []


def _check_approximation(collider: Usd.Prim) -> list[Finding]:
    if not collider.IsA(UsdGeom.Mesh):
        return []
    approximation = UsdPhysics.MeshCollisionAPI(collider).GetApproximationAttr()
    mode = approximation.Get() if approximation else "none"
    if mode not in (None, "none"):
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


def _materials(prims: list[Usd.Prim]) -> list[Usd.Prim]:
    materials = []
    for prim in prims:
        material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial("physics")
        if material:
            materials.append(material.GetPrim())
    return materials


def _error(rule: str, path: str, message: str, fix: str) -> Finding:
    return Finding(rule=rule, severity="error", where=path, message=message, fix=fix)
