"""Rules about what a USD stage declares of its units, and whether it holds any physics at all.

Centimetres, grams and y up are legal USD. Importers that ignore them make a thing a hundred times too large or lay
it on its side, so they are a warning where there is physics, and an info where there is none.
"""

from __future__ import annotations

from typing import Final, Literal

from pxr import Usd, UsdGeom, UsdPhysics

from cousins.findings import Finding

Severity = Literal["error", "warning", "info"]

PHYSICS_APIS: Final = (UsdPhysics.RigidBodyAPI, UsdPhysics.CollisionAPI)
"""APIs that make a prim part of a simulation."""


def check_units(stage: Usd.Stage) -> list[Finding]:
    """Return a finding for each of metres, kilograms and z up that a stage does not have."""
    is_physical = has_physics(stage)
    severity: Severity = "warning" if is_physical else "info"
    findings = [] if is_physical else [_no_physics_finding()]
    metres = UsdGeom.GetStageMetersPerUnit(stage)
    if not stage.HasAuthoredMetadata("metersPerUnit"):
        message = "metersPerUnit is not authored, and USD takes centimetres then"
        findings.append(_unit_finding("error" if is_physical else "info", message, "Author metersPerUnit."))
    elif metres != 1.0:
        findings.append(
            _unit_finding(severity, f"metersPerUnit is {metres:g}", "Scale lengths to metres and set it to 1.")
        )
    kilograms = UsdPhysics.GetStageKilogramsPerUnit(stage)
    if kilograms != 1.0:
        findings.append(
            _unit_finding(severity, f"kilogramsPerUnit is {kilograms:g}", "Scale masses to kilograms and set it to 1.")
        )
    elif is_physical and not stage.HasAuthoredMetadata("kilogramsPerUnit"):
        findings.append(
            _unit_finding("info", "kilogramsPerUnit is not authored; USD takes kilograms", "Author it as 1.")
        )
    if UsdGeom.GetStageUpAxis(stage) != UsdGeom.Tokens.z:
        message = f"upAxis is {UsdGeom.GetStageUpAxis(stage)}"
        findings.append(_unit_finding(severity, message, "Turn the root prim and set it to Z."))
    return findings


def has_physics(stage: Usd.Stage) -> bool:
    """Return whether any prim is a body, a collider or a joint."""
    return any(
        prim.IsA(UsdPhysics.Joint) or any(prim.HasAPI(api) for api in PHYSICS_APIS)
        for prim in stage.Traverse(Usd.TraverseInstanceProxies())
    )


def _no_physics_finding() -> Finding:
    return Finding(
        rule="no-physics",
        severity="info",
        where="/",
        message="no rigid body, collider or joint: only its paths, its units and OpenUSD's own rules were checked",
        fix="`cousins scan FILE -o SCENE` gives a mesh collision pieces and a mass.",
    )


def _unit_finding(severity: Severity, message: str, fix: str) -> Finding:
    return Finding(rule="wrong-unit", severity=severity, where="/", message=message, fix=fix)
