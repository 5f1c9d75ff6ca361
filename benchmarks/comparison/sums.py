"""What came of all policies, added up: shares by split and arm, paired differences, cousins, failures, curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sim.train.proportions import paired, share

POOLED = ("heldout_far", "shadow")
"""Splits of the bar, pooled."""
LEARNED = 0.5
"""A training whose policy succeeds in fewer episodes in the twin itself has not learned its task."""
PAIRS = (("cousins", "twin"), ("cousins", "noise"), ("noise", "twin"))


def summary(folder: Path, names: Sequence[str], *, arms: Sequence[str], splits: Sequence[str]) -> dict[str, Any]:
    """Return everything that the report shows."""
    done = [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in names]
    full = [one for one in done if one["job"]["first"] is None]
    whole, other = ([one for one in full if _engine(one) == name] for name in ("mujoco", "pybullet"))
    rows = [row for one in whole for row in _rows(one)]
    tasks, unlearned = sorted({row["task"] for row in rows}), _unlearned(rows)
    return {
        "label": "shadow: sim-to-sim, trained in MuJoCo, tried in PyBullet",
        "splits": {split: {arm: _cell(rows, split, arm) for arm in arms} for split in splits},
        "by_task": {
            task: {
                split: {arm: _cell([row for row in rows if row["task"] == task], split, arm) for arm in arms}
                for split in splits
            }
            for task in tasks
        },
        "by_seed": _by_seed(rows, arms, splits),
        "differences": {
            f"{first} - {second}": {name: _difference(rows, first, second, chosen) for name, chosen in _pools(splits)}
            for first, second in PAIRS
        },
        "by_training": {
            f"{first} - {second}": _difference(rows, first, second, POOLED, whole_trainings=True)
            for first, second in PAIRS
        },
        "unlearned": sorted(unlearned),
        "learned": {
            f"{first} - {second}": _difference(_without(rows, unlearned, (first, second)), first, second, POOLED)
            for first, second in PAIRS
        },
        "failures": {split: {arm: _failures(rows, split, arm) for arm in arms} for split in splits},
        "heat": {split: {arm: _heat(rows, split, arm) for arm in arms} for split in splits},
        "curves": [{**one["job"], "curve": one["curve"]} for one in whole],
        "counts": _counts(done),
        "reversed": _reversed([row for one in other for row in _rows(one)]),
        "faults": sum(bool(row["fault"]) for row in rows),
        "episodes": len(rows),
        "train_seconds": sum(one["seconds"] for one in done),
    }


def _reversed(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return shares by split and arm, and cousins less twin, of policies that were trained in PyBullet."""
    splits, arms = (list(dict.fromkeys(row[key] for row in rows)) for key in ("split", "arm"))
    return {
        "splits": {split: {arm: _cell(rows, split, arm) for arm in arms} for split in splits},
        "differences": {split: _difference(rows, "cousins", "twin", (split,)) for split in splits},
    }


def _pools(splits: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    return [("+".join(POOLED), POOLED), *((split, (split,)) for split in splits)]


def _engine(one: dict[str, Any]) -> str:
    """Return where a policy was trained; the earliest files do not tell, and are of MuJoCo."""
    return str(one["job"].get("engine", "mujoco"))


def _rows(one: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the episodes of a policy with all that pairs them."""
    job = one["job"]
    shared = {"task": job["task"], "arm": job["arm"], "seed": job["seed"]}
    return [{**tried, **shared, "split": split} for split, found in one["splits"].items() for tried in found["tried"]]


def _of(rows: Sequence[dict[str, Any]], split: str, arm: str) -> list[dict[str, Any]]:
    return [row for row in rows if (row["split"], row["arm"]) == (split, arm)]


def _cell(rows: Sequence[dict[str, Any]], split: str, arm: str) -> dict[str, Any]:
    chosen = _of(rows, split, arm)
    once = share([row["success_once"] for row in chosen])
    return asdict(share([row["success_at_end"] for row in chosen])) | {"once": asdict(once)}


def _by_seed(rows: Sequence[dict[str, Any]], arms: Sequence[str], splits: Sequence[str]) -> dict[str, Any]:
    seeds = sorted({row["seed"] for row in rows})
    return {
        split: {
            arm: [share([r["success_at_end"] for r in _of(rows, split, arm) if r["seed"] == seed]).p for seed in seeds]
            for arm in arms
        }
        for split in splits
    }


def _unlearned(rows: Sequence[dict[str, Any]]) -> set[str]:
    """Return the trainings, as task, arm and seed, that have not learned their task in the twin."""
    found: dict[str, list[bool]] = {}
    for row in rows:
        if row["split"] == "twin":
            found.setdefault(f"{row['task']} {row['arm']} {row['seed']}", []).append(row["success_at_end"])
    return {name for name, outcomes in found.items() if np.mean(outcomes) < LEARNED}


def _without(rows: Sequence[dict[str, Any]], unlearned: set[str], arms: Sequence[str]) -> list[dict[str, Any]]:
    """Return the episodes of the tasks and seeds that all these arms have learned."""
    return [row for row in rows if not any(f"{row['task']} {arm} {row['seed']}" in unlearned for arm in arms)]


def _difference(
    rows: Sequence[dict[str, Any]], first: str, second: str, splits: Sequence[str], *, whole_trainings: bool = False
) -> dict[str, Any]:
    """Return one arm less another one over the same episodes.

    For its interval whole cousins are drawn, single starts in the twin; or whole trainings, which tells of other seeds.
    """
    found: dict[tuple[Any, ...], dict[str, bool]] = {}
    for row in rows:
        if row["split"] in splits and row["arm"] in (first, second):
            key = (row["task"], row["split"], row["seed"], row["cousin"], row["start"])
            found.setdefault(key, {})[row["arm"]] = row["success_at_end"]
    keys = [key for key, both in found.items() if len(both) == 2]
    assert len(keys) == len(found), "every episode has its pair"
    one = np.array([found[key][first] for key in keys])
    two = np.array([found[key][second] for key in keys])
    single = all(split in ("twin", "shadow_twin") for split in splits)
    names = [f"{key[0]} {key[2]}" if whole_trainings else str(key) if single else f"{key[0]} {key[3]}" for key in keys]
    return asdict(paired(one, two, np.array(names), rng=np.random.default_rng(0)))


def _failures(rows: Sequence[dict[str, Any]], split: str, arm: str) -> dict[str, int]:
    kinds = [row["failure"] for row in _of(rows, split, arm) if row["failure"]]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def _heat(rows: Sequence[dict[str, Any]], split: str, arm: str) -> dict[str, list[int]]:
    """Return [successes, episodes] by cousin."""
    found: dict[str, list[int]] = {}
    for row in _of(rows, split, arm):
        cell = found.setdefault(f"{row['task']} {row['cousin']}", [0, 0])
        cell[0] += row["success_at_end"]
        cell[1] += 1
    return dict(sorted(found.items()))


def _counts(done: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return success in `heldout_far` by the number of training cousins."""
    found: dict[int, list[bool]] = {}
    for one in done:
        if one["job"]["first"] is not None:
            tried = one["splits"]["heldout_far"]["tried"]
            found.setdefault(one["job"]["first"], []).extend(row["success_at_end"] for row in tried)
    return {str(number): asdict(share(outcomes)) for number, outcomes in sorted(found.items())}
