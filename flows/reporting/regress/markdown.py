"""A regression run as Markdown for the summary of a CI job, within its limit of size."""

from __future__ import annotations

from typing import Any, Final

from flows.reporting.regress.text import changed_text, engines_text, verdict_text

MAX_BYTES: Final = 900_000
"""Largest text: GitHub drops a summary above 1,024 kB."""
MAX_ROWS: Final = 100
"""Most rows of a table."""
_SIGNS: Final = {0: "✅", 1: "❌", 125: "❔"}


def summary_markdown(result: dict[str, Any]) -> str:
    """Return the run as Markdown of at most `MAX_BYTES`; what does not fit is counted."""
    lines = [
        f"### {_SIGNS[result['exit_code']]} {_cell(verdict_text(result))}",
        "",
        _facts(result),
        "",
        "| state | test | level | pairs | lost | gained | reason |",
        "|---|---|---|---|---|---|---|",
        *(_test_row(test) for test in result["tests"][:MAX_ROWS]),
    ]
    cousins = [row for row in result["cousins"] if row["losses"]][:MAX_ROWS]
    if cousins:
        lines += ["", "| cousin | test | lost | gained | pairs | p (Holm) |", "|---|---|---|---|---|---|"]
        lines += [
            f"| {row['cousin']} | {_cell(row['test'])} | {row['losses']} | {row['gains']} | {row['pairs']}"
            f" | {row['p']:.2g} |"
            for row in cousins
        ]
    if result["losses"]:
        lines += ["", "| lost episode | failure | repeat it |", "|---|---|---|"]
        lines += [
            f"| {_cell(loss['test'])} cousin {loss['cousin']} start {loss['start']}"
            f" | {_cell(loss['fault'] or loss['failure'])} | `{_cell(loss['repeat'])}` |"
            for loss in result["losses"][:MAX_ROWS]
        ]
    lines += [
        f"\nChanged since the baseline of {_cell(test['test'])}: {_cell(changed_text(test))}."
        for test in result["tests"]
        if test["changed"]
    ]
    lines += [f"\nNote: {_cell(note)}" for note in result["notes"]]
    return _shortened(lines)


def _facts(result: dict[str, Any]) -> str:
    pack, baseline = result["pack"], result["baseline_digest"][:12] or "none"
    engines = _cell(engines_text(result))
    return f"Pack `{pack['name']}` `{pack['digest'][:12]}`, {engines}, baseline `{baseline}`."


def _shortened(lines: list[str]) -> str:
    size = 0
    kept_lines: list[str] = []
    for number, line in enumerate(lines):
        size += len(line.encode()) + 1
        if size > MAX_BYTES - 100:
            return "\n".join([*kept_lines, "", f"({len(lines) - number} more lines are in regress.json)"]) + "\n"
        kept_lines.append(line)
    return "\n".join(kept_lines) + "\n"


def _test_row(test: dict[str, Any]) -> str:
    state = f"{test['state']} (quarantine)" if test["quarantine"] else test["state"]
    cells = (state, test["test"], test["level"], f"{test['pairs']} of {test['planned']}")
    numbers = (test["losses"], test["gains"])
    return "| " + " | ".join([*(_cell(str(cell)) for cell in (*cells, *numbers)), _cell(test["reason"])]) + " |"


def _cell(text: str) -> str:
    """Return a text as one cell of a table: no line breaks, no columns, no markup."""
    plain = " ".join(text.split()).replace("|", "\\|").replace("`", "'")
    return plain.replace("<", "&lt;").replace(">", "&gt;")[:2000]
