"""The cause of a loss, and a minimal case that was run, in words."""

from __future__ import annotations

from html import escape
from typing import Any

from flows.reporting.regress.page import STYLE, films_html


def cause_text(result: dict[str, Any]) -> str:
    """Return which axis, object and amount break a policy, and the line that repeats it."""
    lines = [f"{result['test']}, cousin {result['cousin']} (p {result['p']:.2g}), starts {result['starts']}"]
    if result["parts"]:
        names = ", ".join(f"{part['axis']} of {part['object'] or 'the surroundings'}" for part in result["parts"])
        lines.append(f"cause: {names}, from {result['amount']:.0%} of the difference on")
    else:
        lines.append("cause: none of the axes; the twin fails too")
    if result["changed"]:
        lines.append(f"changed since the baseline: {', '.join(result['changed'])}")
    lines += [f"  {_change_text(change)}" for change in result["changes"]]
    lines += [f"twin with {axis} alone: {text}" for axis, text in result["by_axis"].items()]
    lines.append(f"{result['probes']} hybrids tried, {result['refused']} not allowed by the gates or the task")
    page = f" and {result['page']}" if result.get("page") else ""
    return "\n".join([*lines, f"wrote {result['minimal']}{page}; repeat: {result['repeat']}"])


def cause_page(result: dict[str, Any]) -> str:
    """Return the cause as one HTML page, with films of the nearest hybrid that passes and of the one that fails."""
    title = escape(f"{result['test']}, cousin {result['cousin']}: what breaks it")
    words = escape(cause_text(result))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"</head><body><h1>{title}</h1>{films_html(result['films'])}<pre>{words}</pre></body></html>\n"
    )


def minimal_text(result: dict[str, Any]) -> str:
    """Return how a minimal case did."""
    verdict = "still fails" if result["fails"] else "does not fail any more"
    policy = "the policy that it was made with" if result["same_policy"] else "another policy"
    count = f"{result['failures']} of {len(result['starts'])} starts fail"
    return f"{result['minimal']} {verdict}: {count}, with {policy}"


def _change_text(change: dict[str, Any]) -> str:
    return f"{change['object']} {change['parameter']}: {_value(change['twin'])} -> {_value(change['here'])}"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(_value(item) for item in value) + ")"
    return str(value)
