"""`cousins check PATH`: schema and, for a scene folder, physics gates; it says which rules applied."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from cousins.codec import plain
from cousins.findings import Finding
from cousins.scene.checks import check
from cousins.scene.scene_folder import read_scene
from flows.reporting.formatting import told_findings
from sim.validation.gates import GateReport, run_gates

OWN: Final = ("scene.json and its meshes", "every compiled file against them")
"""What is checked of a scene folder only."""
FOREIGN: Final = (
    "asset paths",
    "OpenUSD's own validators, as usd:NAME",
    "units, bodies, masses, joints and colliders by our rules",
)
"""What is checked of any USD."""
GATES: Final = ("gates in both engines",)
"""What is checked of a scene folder without errors."""
SHOWN: Final = 3
"""Findings of one rule that are told in words."""


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Check; the exit code is 1 where an error was found."""
    path: Path = arguments.path
    findings = check(path)
    own = (path / "scene.json").is_file()
    gated = own and not _broken(findings)
    if gated:
        findings += gate_findings(run_gates(read_scene(path)))
    ok = not _broken(findings)
    rules = [*(OWN if own else ()), *FOREIGN, *(GATES if gated else ())]
    return {"ok": ok, "kind": "scene" if own else "usd", "rules": rules, "findings": plain(findings)}, 0 if ok else 1


def told(result: dict[str, Any]) -> str:
    """Return what was checked, the findings by rule, and the verdict last."""
    whose = "a scene folder of ours" if result["kind"] == "scene" else "USD from elsewhere"
    lines = [f"checked as {whose}: {'; '.join(result['rules'])}"]
    by_rule: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for finding in result["findings"]:
        by_rule.setdefault((finding["severity"], finding["rule"]), []).append(finding)
    for (severity, rule), alike in by_rule.items():
        lines += told_findings(alike[:SHOWN])
        if len(alike) > SHOWN:
            lines.append(f"{severity}: and {len(alike) - SHOWN} more of [{rule}]; --json lists them all")
    return "\n".join([*lines, "ok" if result["ok"] else "not ok: see the errors above"])


def gate_findings(report: GateReport) -> list[Finding]:
    """Return a finding for each gate that failed."""
    return [
        Finding(
            rule="gate-" + one.gate.replace(" ", "-"),
            severity="error",
            where=one.subject,
            message=f"In {one.engine} {one.gate} is {one.value:.4g} {one.unit}, at most {one.threshold:.4g} passes.",
            fix="Look at its collision pieces and its pose with `cousins view`.",
        )
        for one in report.failures
    ]


def _broken(findings: list[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)
