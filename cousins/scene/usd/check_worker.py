"""Check one USD file and print its findings as JSON: the child process that `checks.py` starts.

Run as `python -m cousins.scene.usd.check_worker FILE [ROOT]`. It limits its own memory, time and file size first,
because a crafted USD file can crash the parser or keep it busy.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pxr import Tf, Usd, UsdValidation

from cousins.findings import Finding
from cousins.sandbox import limit_resources
from cousins.scene.usd.collider_rules import check_collider_fit
from cousins.scene.usd.joint_rules import check_joints
from cousins.scene.usd.path_rules import check_paths, error_text
from cousins.scene.usd.rules import check_bodies
from cousins.scene.usd.unit_rules import Severity, check_units

FIX_HINTS: Final = {
    "RigidBodyChecker": "Mend the rigid body: it must be an Xform of its own, without scale, shear or nesting.",
    "ColliderChecker": "Mend the collider's scale or its points; round primitives scale uniformly.",
    "ArticulationChecker": "Keep one articulation root, on a moving body that is not kinematic.",
    "PhysicsJointChecker": "Point body0 and body1 of the joint at rigid bodies that exist.",
    "StageMetadataChecker": "Author upAxis, metersPerUnit and a defaultPrim on the root layer.",
    "CompositionErrorTest": "Add the layer that is missing or mend its path.",
    "MissingReferenceValidator": "Add the file that is missing or mend its path.",
    "MaterialBindingApiAppliedValidator": "Apply MaterialBindingAPI to the prim; OpenUSD finds the material without.",
}
"""Fix hints by validator."""
APPEARANCE_VALIDATORS: Final = frozenset({"MaterialBindingApiAppliedValidator"})
"""Validators of looks whose findings change nothing that physics or OpenUSD's own material lookup sees: reported as
info. Every RoomPlan package of Apple breaks this one."""


def check_file(path: Path, root: Path | None = None) -> list[Finding]:
    """Return the findings about a USD file: its paths first, and only if they are good its stage."""
    findings = check_paths(path, root)
    if any(finding.severity == "error" for finding in findings):
        return findings
    try:
        stage = Usd.Stage.Open(str(path))
    except (Tf.ErrorException, UnicodeDecodeError) as error:
        return [*findings, _unreadable_stage(path, error_text(error))]
    for rules, apply in RULE_SETS.items():
        try:
            findings += apply(stage)
        except (Tf.ErrorException, TypeError, ValueError) as error:
            findings.append(_rule_failed(rules, error_text(error)))
    return findings


def _run_usd_validators(stage: Usd.Stage) -> list[Finding]:
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    context = UsdValidation.ValidationContext(validators)
    findings = [_from_validator(error) for error in context.Validate(stage)]
    return sorted(findings, key=lambda finding: (finding.rule, finding.where, finding.message))


RULE_SETS: Final[dict[str, Callable[[Usd.Stage], list[Finding]]]] = {
    "OpenUSD's validators": _run_usd_validators,
    "units": check_units,
    "bodies": check_bodies,
    "joints": check_joints,
    "colliders against looks": check_collider_fit,
}
"""What is checked of a stage, by its name; a value of a type that its schema does not know stops one, not the rest."""


def _from_validator(error: UsdValidation.ValidationError) -> Finding:
    kind = error.GetType()
    kinds = UsdValidation.ValidationErrorType
    severities: dict[Any, Severity] = {
        kinds.Error: "error",
        kinds.Warn: "warning",
        kinds.Info: "info",
        kinds.None_: "info",
    }
    name = error.GetValidator().GetMetadata().name.split(":")[-1]
    sites = [_site(site) for site in error.GetSites()]
    return Finding(
        rule=f"usd:{name}.{error.GetName()}",
        severity="info" if name in APPEARANCE_VALIDATORS else severities[kind],
        where=", ".join(sites)[:300] or "/",
        message=" ".join(error.GetMessage().split())[:500],
        fix=FIX_HINTS.get(name, "See the message; the rule is one of OpenUSD's own validators."),
    )


def _site(site: UsdValidation.ValidationErrorSite) -> str:
    if site.IsProperty():
        return str(site.GetProperty().GetPath())
    return str(site.GetPrim().GetPath()) if site.IsPrim() else "/"


def _rule_failed(rules: str, message: str) -> Finding:
    return Finding(
        rule="unreadable-value",
        severity="error",
        where="/",
        message=f"the rules about {rules} could not be applied: {message}",
        fix="Some value has another type than its schema says, or cannot be read: usdview shows which.",
    )


def _unreadable_stage(path: Path, message: str) -> Finding:
    return Finding(
        rule="unreadable-stage",
        severity="error",
        where=path.name,
        message=f"the stage does not open: {message}",
        fix="Open it with usdview or usdcat and mend what they say.",
    )


def main() -> int:
    """Print the findings about the file named on the command line as one line of JSON."""
    limit_resources(Path(sys.argv[1]))
    findings = check_file(*map(Path, sys.argv[1:3]))
    sys.stdout.write(json.dumps([asdict(finding) for finding in findings]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
