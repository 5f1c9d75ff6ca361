"""Read bodies, masses, poses and joints of a USD file, for comparison with the other formats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pxr import Usd, UsdGeom, UsdPhysics

from cousins.errors import SceneError
from cousins.geometry import Array


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UsdBody:
    """A rigid body on a stage."""

    path: str
    """Prim path."""
    mass_kg: float
    """Mass [kg]; 0 where none is authored."""
    world_from_body: Array
    """Pose, float64 [4, 4]."""
    colliders: int
    """Number of collision prims of the body."""


@dataclass(frozen=True, kw_only=True)
class UsdJoint:
    """A joint on a stage."""

    path: str
    """Prim path."""
    kind: Literal["fixed", "revolute", "prismatic"]
    """Type of motion."""
    lower: float
    """Lower limit [rad] or [m]."""
    upper: float
    """Upper limit [rad] or [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UsdSummary:
    """Bodies and joints of a stage."""

    bodies: tuple[UsdBody, ...]
    """Rigid bodies in traversal order."""
    joints: tuple[UsdJoint, ...]
    """Joints in traversal order."""
    static_colliders: int
    """Collision prims outside any rigid body."""


def read_usd(path: Path) -> UsdSummary:
    """Return bodies and joints of a USD file that is trusted; `checks.check` is for the others."""
    stage = Usd.Stage.Open(str(path))
    if stage is None:
        raise SceneError(f"unreadable {path.name!r}", expected="a USD file", hint="Check that the file is whole.")
    owners: dict[str, int] = {}
    bodies, joints, static = [], [], 0
    for prim in stage.Traverse():
        if prim.HasAPI(UsdPhysics.CollisionAPI):
            owner = owner_body(prim)
            if owner is None:
                static += 1
            else:
                owners[str(owner.GetPath())] = owners.get(str(owner.GetPath()), 0) + 1
        if prim.HasAPI(UsdPhysics.RigidBodyAPI):
            bodies.append(prim)
        if prim.IsA(UsdPhysics.Joint):
            joints.append(_joint(prim))
    return UsdSummary(
        bodies=tuple(_body(prim, owners.get(str(prim.GetPath()), 0)) for prim in bodies),
        joints=tuple(joints),
        static_colliders=static,
    )


def owner_body(prim: Usd.Prim) -> Usd.Prim | None:
    """Return the nearest prim at or above with a rigid body, None for fixed things."""
    while prim and not prim.IsPseudoRoot():
        if prim.HasAPI(UsdPhysics.RigidBodyAPI):
            return prim
        prim = prim.GetParent()
    return None


def authored(prim: Usd.Prim, name: str) -> float | None:
    """Return a number that a prim itself authors, None where it does not."""
    attribute = prim.GetAttribute(name)
    value = attribute.Get() if attribute and attribute.HasAuthoredValue() else None
    return float(value) if isinstance(value, int | float) else None


def world_from_prim(prim: Usd.Prim) -> Array:
    """Return the transform [4, 4] of a prim in the world, scale included (USD's rows are our columns)."""
    matrix = UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(Usd.TimeCode.Default())
    return np.array(matrix, dtype=np.float64).T


def _body(prim: Usd.Prim, colliders: int) -> UsdBody:
    mass = UsdPhysics.MassAPI(prim).GetMassAttr().Get() if prim.HasAPI(UsdPhysics.MassAPI) else 0.0
    return UsdBody(
        path=str(prim.GetPath()), mass_kg=float(mass or 0.0), world_from_body=world_from_prim(prim), colliders=colliders
    )


def _joint(prim: Usd.Prim) -> UsdJoint:
    path = str(prim.GetPath())
    if prim.IsA(UsdPhysics.RevoluteJoint):
        revolute = UsdPhysics.RevoluteJoint(prim)
        lower, upper = revolute.GetLowerLimitAttr().Get(), revolute.GetUpperLimitAttr().Get()
        return UsdJoint(path=path, kind="revolute", lower=math.radians(lower), upper=math.radians(upper))
    if prim.IsA(UsdPhysics.PrismaticJoint):
        slide = UsdPhysics.PrismaticJoint(prim)
        return UsdJoint(
            path=path, kind="prismatic", lower=slide.GetLowerLimitAttr().Get(), upper=slide.GetUpperLimitAttr().Get()
        )
    return UsdJoint(path=path, kind="fixed", lower=0.0, upper=0.0)
