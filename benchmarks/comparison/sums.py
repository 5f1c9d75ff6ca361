"""Results of all policies summed up: shares by split and arm, paired differences, cousins, failures, curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sim.train.proportions import paired_difference, proportion

POOLED = ("heldout_far", "shadow")
"""Splits of the bar, pooled."""
LEARNED = 0.5
"""A training whose policy succeeds in fewer episodes in the twin itself has not learned its task."""
PAIRS = (("cousins", "twin"), ("cousins", "noise"), ("noise", "twin"))


def summary(folder: Path, names: Sequence[str], *, arms: Sequence[str], splits: Sequence[str]) -> dict[str, Any]:
    """Return everything that the report shows."""
    trainings = [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in names]
    full = [training for training in trainings if training["job"]["first"] is None]
    mujoco_trainings, pybullet_trainings = (
        [training for training in full if _engine(training) == name] for name in ("mujoco", "pybullet")
    )
    rows = [row for training in mujoco_trainings for row in _rows(training)]
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
            f"{first} - {second}": {name: _difference(rows, first, second, pooled) for name, pooled in _pools(splits)}
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
        "curves": [{**training["job"], "curve": training["curve"]} for training in mujoco_trainings],
        "counts": _counts(trainings),
        "reversed": _reversed([row for training in pybullet_trainings for row in _rows(training)]),
        "faults": sum(bool(row["fault"]) for row in rows),
        "episodes": len(rows),
        "train_seconds": sum(training["seconds"] for training in trainings),
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


def _engine(training: dict[str, Any]) -> str:
    """Return the engine in which a policy was trained; files without the key are from MuJoCo."""
    return str(training["job"].get("engine", "mujoco"))


def _rows(training: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the episodes of a policy with all that pairs them."""
    job = training["job"]
    shared = {"task": job["task"], "arm": job["arm"], "seed": job["seed"]}
    return [
        {**episode, **shared, "split": split}
        for split, result in training["splits"].items()
        for episode in result["tried"]
    ]


def _select(rows: Sequence[dict[str, Any]], split: str, arm: str) -> list[dict[str, Any]]:
    return [row for row in rows if (row["split"], row["arm"]) == (split, arm)]


def _cell(rows: Sequence[dict[str, Any]], split: str, arm: str) -> dict[str, Any]:
    selected = _select(rows, split, arm)
    once = proportion([row["success_once"] for row in selected])
    return asdict(proportion([row["success_at_end"] for row in selected])) | {"once": asdict(once)}


def _by_seed(rows: Sequence[dict[str, Any]], arms: Sequence[str], splits: Sequence[str]) -> dict[str, Any]:
    seeds = sorted({row["seed"] for row in rows})
    return {
        split: {
            arm: [
                proportion([r["success_at_end"] for r in _select(rows, split, arm) if r["seed"] == seed]).p
                for seed in seeds
            ]
            for arm in arms
        }
        for split in splits
    }


def _unlearned(rows: Sequence[dict[str, Any]]) -> set[str]:
    """Return the trainings, as task, arm and seed, that have not learned their task in the twin."""
    outcomes_by_training: dict[str, list[bool]] = {}
    for row in rows:
        if row["split"] == "twin":
            outcomes_by_training.setdefault(f"{row['task']} {row['arm']} {row['seed']}", []).append(
                row["success_at_end"]
            )
    return {name for name, outcomes in outcomes_by_training.items() if np.mean(outcomes) < LEARNED}


def _without(rows: Sequence[dict[str, Any]], unlearned: set[str], arms: Sequence[str]) -> list[dict[str, Any]]:
    """Return the episodes of the tasks and seeds that all these arms have learned."""
    return [row for row in rows if not any(f"{row['task']} {arm} {row['seed']}" in unlearned for arm in arms)]


def _difference(
    rows: Sequence[dict[str, Any]], first: str, second: str, splits: Sequence[str], *, whole_trainings: bool = False
) -> dict[str, Any]:
    """Return one arm less another one over the same episodes.

    For its interval whole cousins are drawn, single starts in the twin; or whole trainings, which covers the
    variation between seeds.
    """
    outcomes: dict[tuple[Any, ...], dict[str, bool]] = {}
    for row in rows:
        if row["split"] in splits and row["arm"] in (first, second):
            key = (row["task"], row["split"], row["seed"], row["cousin"], row["start"])
            outcomes.setdefault(key, {})[row["arm"]] = row["success_at_end"]
    keys = [key for key, both in outcomes.items() if len(both) == 2]
    assert len(keys) == len(outcomes), "every episode has its pair"
    first_success = np.array([outcomes[key][first] for key in keys])
    second_success = np.array([outcomes[key][second] for key in keys])
    single = all(split in ("twin", "shadow_twin") for split in splits)
    names = [f"{key[0]} {key[2]}" if whole_trainings else str(key) if single else f"{key[0]} {key[3]}" for key in keys]
    return asdict(paired_difference(first_success, second_success, np.array(names), rng=np.random.default_rng(0)))


def _failures(rows: Sequence[dict[str, Any]], split: str, arm: str) -> dict[str, int]:
    kinds = [row["failure"] for row in _select(rows, split, arm) if row["failure"]]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def _heat(rows: Sequence[dict[str, Any]], split: str, arm: str) -> dict[str, list[int]]:
    """Return [successes, episodes] by cousin."""
    counts_by_cousin: dict[str, list[int]] = {}
    for row in _select(rows, split, arm):
        cell = counts_by_cousin.setdefault(f"{row['task']} {row['cousin']}", [0, 0])
        cell[0] += row["success_at_end"]
        cell[1] += 1
    return dict(sorted(counts_by_cousin.items()))


def _counts(trainings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return success in `heldout_far` by the number of training cousins."""
    outcomes_by_count: dict[int, list[bool]] = {}
    for training in trainings:
        if training["job"]["first"] is not None:
            episodes = training["splits"]["heldout_far"]["tried"]
            outcomes_by_count.setdefault(training["job"]["first"], []).extend(row["success_at_end"] for row in episodes)
    return {str(number): asdict(proportion(outcomes)) for number, outcomes in sorted(outcomes_by_count.items())}
