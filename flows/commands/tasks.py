"""`cousins tasks PACK`: which tasks a pack affords, with the proof."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cousins.errors import InputError
from cousins.pack.packs import Pack, selection_of
from cousins.pack.transfer.pull import open_pack
from cousins.vary.cousins import SPLITS
from flows.extras import needing
from flows.reporting.formatting import table


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Return how many cousins of each split afford each task; exit code 1 where none affords any."""
    with needing("sim"):
        from sim.tasks import Task, build_task, task_names
        from sim.tasks.listing import Verdict, verdicts
        from sim.tasks.task_source import Bare
    pack = open_pack(arguments.pack)
    tasks: list[Task] = [build_task(name) for name in (arguments.task or task_names())]
    splits = _splits(pack, arguments)
    found: list[Verdict] = []
    total = sum(len(numbers) for numbers in splits.values())
    for one in verdicts(Bare(pack), [number for numbers in splits.values() for number in numbers], tasks):
        found.append(one)
        _tell(len(found), total * len(tasks), len(tasks))
    rows = [_row(task, splits, [one for one in found if one.task == task.name]) for task in tasks]
    result = {"pack": str(arguments.pack), "digest": pack.digest, "tasks": rows, "cousins": total}
    return result, 0 if any(any(row["afforded"].values()) for row in rows) else 1


def told(result: dict[str, Any]) -> str:
    """Return the result in words."""
    rows = result["tasks"]
    splits = list(rows[0]["of"])
    lines = table(
        ["task", "body", *splits],
        [
            [row["task"], row["bodies"][0], *(f"{row['afforded'][split]} of {row['of'][split]}" for split in splits)]
            for row in rows
        ],
    )
    for row in rows:
        lines.append("")
        if row["example"] is not None:
            lines.append(f"{row['task']}: cousin {row['example']}: {row['proof']}")
        reasons = list(row["refused"].items())[:3]
        lines += [f"{row['task']}: {count} refused: {reason}" for reason, count in reasons]
    return "\n".join(lines)


def _splits(pack: Pack, arguments: argparse.Namespace) -> dict[str, list[int]]:
    """Return the numbers to look at by split: those at hand, those asked for, no more of a split than asked for."""
    there = selection_of(Path(arguments.pack)) if Path(arguments.pack).is_dir() else None
    found: dict[str, list[int]] = {}
    for split in SPLITS:
        numbers = pack.indices(split)
        if there is not None:
            numbers = sorted(set(numbers) & set(there))
        if arguments.cousin:
            numbers = [number for number in numbers if number in arguments.cousin]
        if numbers and arguments.split in (None, split):
            found[split] = numbers[: arguments.count]
    if not found:
        raise InputError(
            "no cousin to look at", expected="a split or a number that the pack has", hint="`cousins pack info` tells."
        )
    return found


def _row(task: Any, splits: dict[str, list[int]], found: Sequence[Any]) -> dict[str, Any]:
    afforded = {one.index: one.words for one in found if one.afforded}
    reasons = Counter(one.words for one in found if not one.afforded)
    example = min(afforded, default=None)
    return {
        "task": task.name,
        "bodies": list(task.bodies),
        "profiles": list(task.profiles),
        "afforded": {split: sum(number in afforded for number in numbers) for split, numbers in splits.items()},
        "of": {split: len(numbers) for split, numbers in splits.items()},
        "example": example,
        "proof": "" if example is None else afforded[example],
        "cousins": sorted(afforded),
        "refused": dict(reasons.most_common()),
    }


def _tell(done: int, total: int, tasks: int) -> None:
    if done % (50 * tasks) == 0 or done == total:
        sys.stderr.write(f"  looked at {done // tasks} of {total // tasks} cousins\n")
        sys.stderr.flush()
