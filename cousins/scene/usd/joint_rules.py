"""Rules about the joints of a USD stage: limits in a wrong unit, bodies that nothing connects, articulation roots."""

from __future__ import annotations

import math
from typing import Final, Literal

from pxr import Usd, UsdGeom, UsdPhysics

from cousins.findings import Finding
from cousins.scene.usd.reader import authored

MAX_PRISMATIC_M: Final = 10.0
"""A slide that goes further than this [m] was meant in centimetres or millimetres."""


def check_joints(stage: Usd.Stage) -> list[Finding]:
    """Return findings about joint limits in a wrong unit and about articulation roots."""
    findings: list[Finding] = []
    groups: dict[str, str] = {}
    hinged: set[str] = set()
    for prim in stage.Traverse(Usd.TraverseInstanceProxies()):
        if not prim.IsA(UsdPhysics.Joint):
            continue
        findings += _check_limits(prim)
        joint = UsdPhysics.Joint(prim)
        body_paths = [str(path) for rel in (joint.GetBody0Rel(), joint.GetBody1Rel()) for path in rel.GetTargets()]
        for end in body_paths:
            groups[_group(groups, end)] = _group(groups, body_paths[0])
        if body_paths and (prim.IsA(UsdPhysics.RevoluteJoint) or prim.IsA(UsdPhysics.PrismaticJoint)):
            hinged.add(body_paths[0])
    return findings + _check_articulations(stage, groups, hinged)


def joined_bodies(stage: Usd.Stage) -> set[str]:
    """Return the paths of all prims that a joint connects."""
    return {
        str(path)
        for prim in stage.Traverse(Usd.TraverseInstanceProxies())
        if prim.IsA(UsdPhysics.Joint)
        for path in (
            *UsdPhysics.Joint(prim).GetBody0Rel().GetTargets(),
            *UsdPhysics.Joint(prim).GetBody1Rel().GetTargets(),
        )
    }


def _check_limits(prim: Usd.Prim) -> list[Finding]:
    turns = prim.IsA(UsdPhysics.RevoluteJoint)
    if not turns and not prim.IsA(UsdPhysics.PrismaticJoint):
        return []
    limits = [authored(prim, name) for name in ("physics:lowerLimit", "physics:upperLimit")]
    finite = [value for value in limits if value is not None and math.isfinite(value)]
    if not finite:
        return []
    largest = max(abs(value) for value in finite)
    text = " to ".join(f"{value:g}" for value in finite)
    if len(finite) == 2 and finite[0] > finite[1]:
        return [_limit(prim, "warning", f"limits of {text}: the lower lies above the upper", "Swap them.")]
    if turns and 0.0 < largest <= 2.0 * math.pi:
        odd = any(abs(2.0 * value - round(2.0 * value)) > 1e-3 for value in finite)
        message = f"limits of {text}: USD means degrees, and these look like radians"
        return [_limit(prim, "error" if odd else "warning", message, "Multiply by 180/π.")]
    if not turns and largest * UsdGeom.GetStageMetersPerUnit(prim.GetStage()) > MAX_PRISMATIC_M:
        return [_limit(prim, "error", f"limits of {text}: these look like centimetres", "Give the stage's unit.")]
    return []


def _check_articulations(stage: Usd.Stage, groups: dict[str, str], hinged: set[str]) -> list[Finding]:
    findings: list[Finding] = []
    roots: dict[str, list[str]] = {}
    for prim in stage.Traverse(Usd.TraverseInstanceProxies()):
        if not prim.HasAPI(UsdPhysics.ArticulationRootAPI):
            continue
        path = str(prim.GetPath())
        members = {_group(groups, end) for end in groups if end == path or end.startswith(f"{path}/")}
        for member in sorted(members) or [path]:
            roots.setdefault(member, []).append(path)
    for paths in roots.values():
        if len(paths) > 1:
            findings.append(
                Finding(
                    rule="several-articulation-roots",
                    severity="error",
                    where=paths[1],
                    message=f"the articulation of {paths[0]} has {len(paths)} roots",
                    fix="Keep PhysicsArticulationRootAPI on one prim.",
                )
            )
    for start in sorted({_group(groups, end) for end in hinged}):
        if start not in roots:
            findings.append(
                Finding(
                    rule="missing-articulation-root",
                    severity="warning",
                    where=start,
                    message="joints connect bodies without an articulation root",
                    fix="Apply PhysicsArticulationRootAPI to the base body.",
                )
            )
    return findings


def _group(groups: dict[str, str], name: str) -> str:
    while groups.get(name, name) != name:
        name = groups[name]
    groups.setdefault(name, name)
    return name


def _limit(prim: Usd.Prim, severity: Literal["error", "warning"], message: str, fix: str) -> Finding:
    return Finding(rule="joint-limit-unit", severity=severity, where=str(prim.GetPath()), message=message, fix=fix)
