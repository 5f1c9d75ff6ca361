"""The report of `twin_vs_cousins.py` as one HTML page that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

COLOURS = {"twin": "#b5532f", "noise": "#7d7d7d", "cousins": "#2f6fb5"}
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}
td,th{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:right}
th:first-child,td:first-child{text-align:left}
.note{color:#555}svg{max-width:100%}.heat td{padding:.15rem .4rem}.heat td+td{color:#111}
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}td,th{border-color:#444}.note{color:#aaa}}
"""
COUNTED = (
    "{label}. {episodes} episodes, all counted; {faults} of them broke and count as failures. Success is at the end, \
held for 1 s, with Wilson's 95 % intervals."
)
PAIRED = "Points, paired by seed, cousin and start; the interval draws whole cousins. Losses are shown as they are."
POOLED = (
    "heldout_far and shadow, pooled: with intervals that draw whole trainings in place of cousins, and without the \
tasks and seeds of which an arm succeeds in fewer than half of the episodes in the twin itself: {unlearned}."
)
LEARNED = "Success of training episodes, while the policy still tries things; each arm in its own worlds."


def page(result: dict[str, Any]) -> str:
    """Return the HTML text for the result of `comparison.sums.summary` with the plan and seconds."""
    arms = _arms(result["splits"])
    once = {name: {arm: cell["once"] for arm, cell in row.items()} for name, row in result["splits"].items()}
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Twin and cousins</title>",
        f"<style>{STYLE}</style><h1>Trained in the twin, or in its cousins</h1>",
        _note(COUNTED.format(**result)),
        "<h2>Success at the end</h2>",
        _shares(result["splits"], arms, "at the end"),
        *(f"<h3>{html.escape(task)}</h3>{_shares(splits, arms, 'at the end')}" for task, splits in _tasks(result)),
        "<h2>Success at some step</h2>",
        _shares(once, arms, "at some step"),
        "<h2>Differences</h2>",
        _note(PAIRED),
        _differences(result["differences"]),
        _note(POOLED.format(unlearned=", ".join(result["unlearned"]) or "none")),
        _differences(
            {
                pair: {"drawing trainings": difference, "learned in the twin": result["learned"][pair]}
                for pair, difference in result["by_training"].items()
            }
        ),
        "<h2>By seed</h2>",
        _by_seed(result["by_seed"], arms),
        "<h2>Learning curves</h2>",
        _note(LEARNED),
        _curves(result["curves"]),
        _counts(result["counts"]),
        *_reversed(result["reversed"]),
        "<h2>Failures</h2>",
        _failures(result["failures"], arms),
        "<h2>By cousin</h2>",
        *(f"<h3>{html.escape(split)}</h3>{_heat(by_arm, arms)}" for split, by_arm in result["heat"].items()),
        "</html>",
    ]
    return "\n".join(parts)


def _note(text: str) -> str:
    return f"<p class='note'>{html.escape(text)}</p>"


def _tasks(result: dict[str, Any]) -> list[tuple[str, Any]]:
    return list(result["by_task"].items()) if len(result["by_task"]) > 1 else []


def _arms(splits: dict[str, Any]) -> list[str]:
    return list(next(iter(splits.values())))


def _shares(splits: dict[str, Any], arms: Sequence[str], criterion: str) -> str:
    rows = [
        [
            split,
            *(
                f"{100 * row[arm]['p']:.0f} % ({100 * row[arm]['low']:.0f}–{100 * row[arm]['high']:.0f})"
                for arm in arms
            ),
        ]
        for split, row in splits.items()
    ]
    counts = {row[arm]["n"] for row in splits.values() for arm in arms}
    return _table([f"{criterion}, {min(counts)} to {max(counts)} episodes a cell", *arms], rows)


def _differences(by_pair: dict[str, Any]) -> str:
    rows = [
        [
            f"{pair}, {split}",
            f"{100 * difference['value']:+.0f}",
            f"{100 * difference['low']:+.0f} to {100 * difference['high']:+.0f}",
            f"{difference['first_only']} : {difference['second_only']} of {difference['pairs']}",
        ]
        for pair, splits in by_pair.items()
        for split, difference in splits.items()
    ]
    return _table(["", "points", "95 %", "won : lost of pairs"], rows)


def _by_seed(by_split: dict[str, Any], arms: Sequence[str]) -> str:
    rows = [
        [split, *(" ".join(f"{100 * value:.0f}" for value in row[arm]) for arm in arms)]
        for split, row in by_split.items()
    ]
    return _table(["success, %", *arms], rows)


def _curves(curves: Sequence[dict[str, Any]]) -> str:
    wide, high = 640, 220
    parts = []
    for task in sorted({training["task"] for training in curves}):
        trainings = [training for training in curves if training["task"] == task]
        max_steps = max(training["curve"][-1]["steps"] for training in trainings)
        lines = [
            "<polyline fill='none' stroke-width='1.5' stroke='{}' points='{}'/>".format(
                COLOURS.get(training["arm"], "#000"),
                " ".join(
                    f"{40 + (wide - 50) * point['steps'] / max_steps:.1f},"
                    f"{high - 20 - (high - 40) * point['success_at_end']:.1f}"
                    for point in training["curve"]
                ),
            )
            for training in trainings
        ]
        marks = [
            f"<text x='34' y='{high - 16 - (high - 40) * share:.0f}' text-anchor='end' font-size='11' "
            f"fill='currentColor'>{100 * share:.0f} %</text>"
            for share in (0.0, 0.5, 1.0)
        ]
        key = [
            f"<text x='{50 + 80 * number}' y='14' font-size='12' fill='{colour}'>{arm}</text>"
            for number, (arm, colour) in enumerate(COLOURS.items())
        ]
        parts.append(
            f"<p>{html.escape(task)}, up to {max_steps} steps</p><svg viewBox='0 0 {wide} {high}' role='img' "
            f"aria-label='learning curves'>{''.join(marks + key + lines)}</svg>"
        )
    return "".join(parts)


def _counts(counts: dict[str, Any]) -> str:
    if not counts:
        return ""
    rows = [
        [number, f"{100 * cell['p']:.0f} %", f"{100 * cell['low']:.0f}–{100 * cell['high']:.0f}"]
        for number, cell in counts.items()
    ]
    return "<h2>By the number of training cousins</h2>" + _table(["cousins", "heldout_far", "95 %"], rows)


def _reversed(result: dict[str, Any]) -> list[str]:
    if not result["splits"]:
        return []
    differences = _differences({"cousins - twin": result["differences"]})
    title = "<h2>Trained in PyBullet, the shadow under MuJoCo</h2>"
    return [title, _shares(result["splits"], _arms(result["splits"]), "at the end"), differences]


def _failures(by_split: dict[str, Any], arms: Sequence[str]) -> str:
    rows = [
        [split, *(", ".join(f"{count} {kind}" for kind, count in row[arm].items()) or "none" for arm in arms)]
        for split, row in by_split.items()
    ]
    return _table(["episodes", *arms], rows)


def _heat(by_arm: dict[str, Any], arms: Sequence[str]) -> str:
    names = list(by_arm[arms[0]])
    head = "".join(f"<th>{html.escape(name.split()[-1])}</th>" for name in names)
    rows = "".join(
        f"<tr><td>{arm}</td>{''.join(_cell(*by_arm[arm].get(name, (0, 0))) for name in names)}</tr>" for arm in arms
    )
    return f"<div style='overflow-x:auto'><table class='heat'><tr><th></th>{head}</tr>{rows}</table></div>"


def _cell(k: int, n: int) -> str:
    share = k / n if n else 0.0
    return f"<td style='background:hsl({120 * share:.0f} 55% 70%)' title='{k} of {n}'>{k}/{n}</td>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{html.escape(text)}</th>" for text in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"
