"""Rules about what a USD stage declares of its units, and whether it holds any physics at all.

Centimetres, grams and y up are legal USD. Importers that ignore them make a thing a hundred times too large or lay
it on its side, so they are a warning where there is physics, and only told where there is none.
"""

from __future__ import annotations

from typing import Final, Literal

from pxr import Usd, UsdGeom, UsdPhysics

from cousins.findings import Finding

Severity = Literal["error", "warning", "info"]

PHYSICS: Final = (UsdPhysics.RigidBodyAPI, UsdPhysics.CollisionAPI)
"""APIs that make a prim part of a simulation."""


def check_units(stage: Usd.Stage) -> list[Finding]:
    """Return a finding for each of metres, kilograms and z up that a stage does not have."""
    known = has_physics(stage)
    usual: Severity = "warning" if known else "info"
    found = [] if known else [_no_physics()]
    metres = UsdGeom.GetStageMetersPerUnit(stage)
    if not stage.HasAuthoredMetadata("metersPerUnit"):
        told = "metersPerUnit is not authored, and USD takes centimetres then"
        found.append(_unit("error" if known else "info", told, "Author metersPerUnit."))
    elif metres != 1.0:
        found.append(_unit(usual, f"metersPerUnit is {metres:g}", "Scale lengths to metres and set it to 1."))
    kilograms = UsdPhysics.GetStageKilogramsPerUnit(stage)
    if kilograms != 1.0:
        found.append(_unit(usual, f"kilogramsPerUnit is {kilograms:g}", "Scale masses to kilograms and set it to 1."))
    elif known and not stage.HasAuthoredMetadata("kilogramsPerUnit"):
        found.append(_unit("info", "kilogramsPerUnit is not authored; USD takes kilograms", "Author it as 1."))
    if UsdGeom.GetStageUpAxis(stage) != UsdGeom.Tokens.z:
        told = f"upAxis is {UsdGeom.GetStageUpAxis(stage)}"
        found.append(_unit(usual, told, "Turn the root prim and set it to Z."))
    return found


def has_physics(stage: Usd.Stage) -> bool:
    """Tell whether any prim is a body, a collider or a joint."""
    return any(
        prim.IsA(UsdPhysics.Joint) or any(prim.HasAPI(api) for api in PHYSICS)
        for prim in stage.Traverse(Usd.TraverseInstanceProxies())
    )


def _no_physics() -> Finding:
    return Finding(
        rule="no-physics",
        severity="info",
        where="/",
        message="no rigid body, collider or joint: only its paths, its units and OpenUSD's own rules were checked",
        fix="`cousins scan FILE -o SCENE` gives a mesh collision pieces and a mass.",
    )


def _unit(severity: Severity, message: str, fix: str) -> Finding:
    return Finding(rule="wrong-unit", severity=severity, where="/", message=message, fix=fix)
