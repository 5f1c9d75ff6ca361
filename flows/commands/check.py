"""`cousins check PATH`: schema and, for a scene folder, physics gates."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cousins.codec import plain
from cousins.findings import Finding
from cousins.scene.checks import check
from cousins.scene.folder import read_scene
from flows.words import told_findings
from sim.gates import GateReport, run_gates


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Check; the exit code is 1 where an error was found."""
    path: Path = arguments.path
    findings = check(path)
    if (path / "scene.json").is_file() and not _broken(findings):
        findings += gate_findings(run_gates(read_scene(path)))
    ok = not _broken(findings)
    return {"ok": ok, "findings": plain(findings)}, 0 if ok else 1


def told(result: dict[str, Any]) -> str:
    """Return the findings, and the verdict last."""
    lines = told_findings(result["findings"])
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
