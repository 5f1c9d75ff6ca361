"""A regression run for a terminal, the worst first."""

from __future__ import annotations

from typing import Any

from flows.reporting.formatting import table

MAX_COUSINS = 8
"""Most cousins that the terminal lists."""
MAX_LOSSES = 5
"""Most lost episodes that the terminal lists."""


def run_text(result: dict[str, Any]) -> str:
    """Return a run in words."""
    rows = [
        [
            test["state"] + (" (quarantine)" if test["quarantine"] else ""),
            test["test"],
            test["level"],
            f"{test['pairs']} of {test['planned']}",
            f"{test['losses']} / {test['gains']}",
            str(test["reused"]),
        ]
        for test in result["tests"]
    ]
    lines = [
        f"{result['suite']} on {result['pack']['name']} ({result['pack']['digest'][:12]}), {engines_text(result)}",
        "",
        *table(["state", "test", "level", "pairs", "lost / gained", "reused"], rows),
        "",
        *(f"{test['test']}: {test['reason']}" for test in result["tests"]),
        *(
            f"{test['test']}: changed since the baseline: {changed_text(test)}"
            for test in result["tests"]
            if test["changed"]
        ),
        *_golden_lines(result),
    ]
    cousins = [row for row in result["cousins"] if row["losses"]][:MAX_COUSINS]
    lines += [
        f"cousin {row['cousin']} ({row['test']}): {row['losses']} lost, {row['gains']} gained of {row['pairs']},"
        f" p {row['p']:.2g}"
        for row in cousins
    ]
    lines += [f"repeat: {loss['repeat']}" for loss in result["losses"][:MAX_LOSSES]]
    lines += [f"note: {note}" for note in result["notes"]]
    return "\n".join([*lines, "", verdict_text(result)])


def verdict_text(result: dict[str, Any]) -> str:
    """Return the verdict of the whole in one sentence."""
    words = {0: "passed", 1: "failed", 125: "cannot be concluded"}[result["exit_code"]]
    states = [test["state"] for test in result["tests"] if not test["quarantine"]]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    return f"{result['suite']} {words}: {counts} ({result['cpu_s']:.0f} s of CPU time in episodes)"


def changed_text(test: dict[str, Any]) -> str:
    """Return what differs from the baseline of a test."""
    return ", ".join(test["changed"])


def engines_text(result: dict[str, Any]) -> str:
    """Return engines with their versions."""
    return ", ".join(f"{name} {version}" for name, version in result["engines"].items())


def _golden_lines(result: dict[str, Any]) -> list[str]:
    lines = []
    for test in result["tests"]:
        if test["golden"]:
            lines.append(
                f"{test['test']}: {test['golden']} goldens run twice, {test['chaotic']} of them chaotic;"
                f" {test['audited']} reused results run again, {test['flips']} flipped on this CPU"
            )
    return lines
