"""Engine drift in words, and as one HTML page without scripts."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any, Final

from cousins.publishing import write_atomic
from flows.reporting.formatting import table
from flows.reporting.regress.page import STYLE, html_table

ENGINE_HEADS: Final = (
    "engine",
    "success",
    "drift mm, median / largest",
    "settling mm",
    "joint error, worst of",
    "grasps held",
    "faults",
)
AGREEMENT_HEADS: Final = ("task", "engines", "episodes", "lost / gained", "equal states", "p (Holm)", "agree")


def drift_text(result: dict[str, Any]) -> str:
    """Return drift in words: a row for each engine, and one for each two of them in a task."""
    lines = [f"{result['suite']} on {result['pack']['name']} ({result['pack']['digest'][:12]})", ""]
    lines += table(list(ENGINE_HEADS), [list(row) for row in _engine_rows(result)])
    lines += ["", *table(list(AGREEMENT_HEADS), [list(row) for row in _agreement_rows(result)])]
    faults = [f"{row['engine']}: {row['faults'][0]}" for row in result["engines"] if row["faults"]]
    return "\n".join([*lines, *([""] if faults else []), *faults])


def drift_page(result: dict[str, Any]) -> str:
    """Return drift as one HTML page."""
    title = escape(f"{result['suite']}: engine drift")
    facts = escape(
        f"Pack {result['pack']['name']} {result['pack']['digest'][:12]}; CPU {result['cpu']}; {result['episodes']}"
        f" episodes a task. Two engines agree where their flips are no evidence at {result['alpha']:g} of a difference."
    )
    engines, compared = (
        html_table(heads, [tuple(escape(cell) for cell in row) for row in rows])
        for heads, rows in ((ENGINE_HEADS, _engine_rows(result)), (AGREEMENT_HEADS, _agreement_rows(result)))
    )
    faults = "".join(
        f"<p>{escape(row['engine'])}: {escape(fault)}</p>" for row in result["engines"] for fault in row["faults"][:5]
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"</head><body><h1>{title}</h1><p>{facts}</p>{engines}{compared}{faults}</body></html>\n"
    )


def write_drift_reports(result: dict[str, Any], folder: Path) -> dict[str, str]:
    """Write drift.json and drift.html into a folder; return their paths by kind."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "json": ("drift.json", json.dumps(result, indent=1, allow_nan=False) + "\n"),
        "html": ("drift.html", drift_page(result)),
    }
    for name, text in texts.values():
        write_atomic(folder / name, text.encode())
    return {kind: str(folder / name) for kind, (name, _) in texts.items()}


def _engine_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            row["engine"],
            ", ".join(f"{task} {item['k']} of {item['n']}" for task, item in row["success"].items()),
            _spread_text(row["drift_mm"]),
            _spread_text(row["settle_mm"]),
            "{worst:.2g} of {n}".format(**row["joint_error"]) if row["joint_error"]["n"] else "no joint",
            f"{row['grasps']['k']} of {row['grasps']['n']}" if row["grasps"]["n"] else "nothing to grasp",
            str(len(row["faults"])),
        )
        for row in result["engines"]
    ]


def _agreement_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            item["task"],
            f"{item['first']}, {item['second']}",
            str(item["pairs"]),
            f"{item['lost']} / {item['gained']}",
            str(item["equal_states"]),
            f"{item['p']:.2g}",
            ("equal" if item["equal_states"] == item["pairs"] else "yes") if item["agrees"] else "no",
        )
        for item in result["agreements"]
    ]


def _spread_text(spread: dict[str, float | None]) -> str:
    if spread["median"] is None or spread["largest"] is None:
        return "not measured"
    return f"{spread['median']:.2g} / {spread['largest']:.2g}"
