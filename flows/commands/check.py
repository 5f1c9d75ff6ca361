"""`cousins check PATH`: schema and, for a scene folder, physics gates, with the rules that applied."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flows.reporting.formatting import format_findings

if TYPE_CHECKING:
    from cousins.findings import Finding
    from sim.validation.gates import GateReport

SCENE_CHECKS: Final = ("scene.json and its meshes", "every compiled file against them")
"""What is checked of a scene folder only."""
FOREIGN: Final = (
    "asset paths",
    "OpenUSD's own validators, as usd:NAME",
    "units, bodies, masses, joints and colliders by our rules",
)
"""What is checked of any USD."""
MAX_SHOWN_PER_RULE: Final = 3
"""Findings of one rule that are told in words."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins check`."""
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder that a USD may reference (its own)")


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Check; the exit code is 1 where an error was found."""
    from cousins.codec import plain
    from cousins.scene.checks import check
    from cousins.scene.scene_folder import read_scene
    from sim.physics.installed import installed_engines
    from sim.validation.gates import run_gates

    path: Path = arguments.path
    findings = check(path, root=arguments.root)
    is_scene_folder = (path / "scene.json").is_file()
    gated = is_scene_folder and not _broken(findings)
    engines = installed_engines()
    if gated and engines:
        findings += gate_findings(run_gates(read_scene(path)))
    ok = not _broken(findings)
    rules = [*(SCENE_CHECKS if is_scene_folder else ()), *FOREIGN, *([describe_gates(engines)] if gated else [])]
    return {
        "ok": ok,
        "kind": "scene" if is_scene_folder else "usd",
        "rules": rules,
        "findings": plain(findings),
    }, 0 if ok else 1


def format_result(result: dict[str, Any]) -> str:
    """Return what was checked, the findings by rule, and the verdict last."""
    origin = "a scene folder of ours" if result["kind"] == "scene" else "USD from elsewhere"
    lines = [f"checked as {origin}: {'; '.join(result['rules'])}"]
    by_rule: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for finding in result["findings"]:
        by_rule.setdefault((finding["severity"], finding["rule"]), []).append(finding)
    for (severity, rule), alike in by_rule.items():
        lines += format_findings(alike[:MAX_SHOWN_PER_RULE])
        if len(alike) > MAX_SHOWN_PER_RULE:
            lines.append(f"{severity}: and {len(alike) - MAX_SHOWN_PER_RULE} more of [{rule}]; --json lists them all")
    return "\n".join([*lines, "ok" if result["ok"] else "not ok: see the errors above"])


def describe_gates(engines: Sequence[str]) -> str:
    """Return in which engines the gates of a scene folder without errors run, or why they do not."""
    if not engines:
        return "no gates: no physics engine is installed, pip install 'cousins[sim]'"
    return "gates in both engines" if len(engines) > 1 else f"gates in {engines[0]} alone: second engine not installed"


def gate_findings(report: GateReport) -> list[Finding]:
    """Return a finding for each gate that failed."""
    from cousins.findings import Finding

    return [
        Finding(
            rule="gate-" + result.gate.replace(" ", "-"),
            severity="error",
            where=result.subject,
            message=f"In {result.engine} {result.gate} is {result.value:.4g} {result.unit}, "
            f"at most {result.threshold:.4g} passes.",
            fix="Look at its collision pieces and its pose with `cousins view`.",
        )
        for result in report.failures
    ]


def _broken(findings: list[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)
