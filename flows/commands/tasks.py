"""`cousins tasks PACK`: which tasks a pack affords, with the proof."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cousins.errors import InputError
from cousins.extras import requires_extra
from flows.reporting.formatting import table

if TYPE_CHECKING:
    from cousins.pack.packs import Pack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins tasks`."""
    from cousins.vary.cousins import SPLITS

    parser.add_argument("pack", metavar="PACK", help="pack folder, or NAME:TAG@STORE")
    parser.add_argument("--task", action="append", default=[], metavar="NAME", help="only this task; repeat it")
    parser.add_argument("--split", choices=SPLITS, help="only cousins of this split")
    parser.add_argument("--count", type=int, metavar="N", help="look at no more than the first N of each split")
    parser.add_argument("--cousin", type=int, action="append", default=[], metavar="N", help="only this one; repeat it")


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Return how many cousins of each split afford each task; exit code 1 where none affords any."""
    from cousins.pack.transfer.pull import open_pack

    with requires_extra("sim"):
        from sim.tasks import Task, build_task, task_names
        from sim.tasks.listing import AffordanceVerdict, affordance_verdicts
        from sim.tasks.task_source import PhysicsSource
    pack = open_pack(arguments.pack)
    tasks: list[Task] = [build_task(name) for name in (arguments.task or task_names())]
    splits = _splits(pack, arguments)
    findings: list[AffordanceVerdict] = []
    total = sum(len(numbers) for numbers in splits.values())
    for verdict in affordance_verdicts(
        PhysicsSource(pack), [number for numbers in splits.values() for number in numbers], tasks
    ):
        findings.append(verdict)
        _show_progress(len(findings), total * len(tasks), len(tasks))
    rows = [_row(task, splits, [verdict for verdict in findings if verdict.task == task.name]) for task in tasks]
    result = {"pack": str(arguments.pack), "digest": pack.digest, "tasks": rows, "cousins": total}
    return result, 0 if any(any(row["afforded"].values()) for row in rows) else 1


def format_result(result: dict[str, Any]) -> str:
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
    from cousins.pack.packs import selection_of
    from cousins.vary.cousins import SPLITS

    pulled = selection_of(Path(arguments.pack)) if Path(arguments.pack).is_dir() else None
    by_split: dict[str, list[int]] = {}
    for split in SPLITS:
        numbers = pack.indices(split)
        if pulled is not None:
            numbers = sorted(set(numbers) & set(pulled))
        if arguments.cousin:
            numbers = [number for number in numbers if number in arguments.cousin]
        if numbers and arguments.split in (None, split):
            by_split[split] = numbers[: arguments.count]
    if not by_split:
        raise InputError(
            "no cousin to look at",
            expected="a split or a number that the pack has",
            hint="`cousins pack info PACK` tells.",
        )
    return by_split


def _row(task: Any, splits: dict[str, list[int]], findings: Sequence[Any]) -> dict[str, Any]:
    afforded = {verdict.index: verdict.words for verdict in findings if verdict.afforded}
    reasons = Counter(verdict.words for verdict in findings if not verdict.afforded)
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


def _show_progress(done: int, total: int, tasks: int) -> None:
    if done % (50 * tasks) == 0 or done == total:
        sys.stderr.write(f"  looked at {done // tasks} of {total // tasks} cousins\n")
        sys.stderr.flush()
