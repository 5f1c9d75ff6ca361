"""Progress of a training: the record in its folder, its learning curve, and the reports of a progress callback."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cousins.codec import plain
from cousins.errors import InputError, OutputError
from cousins.publishing import STAGING_PREFIX
from sim.train.config import TrainingConfig
from sim.train.policies import CARD_FILE, Policy

TRAINING_FILE: Final = "training.json"
LOGS_FOLDER: Final = "logs"
CURVE_POINTS: Final = 40
"""Number of points of a learning curve; a checkpoint is written at each."""
CURVE_METRICS: Final = ("success_at_end", "success_once", "return")
"""Metrics of an episode whose means are in the learning curve."""


@dataclass(frozen=True, kw_only=True)
class ProgressReport:
    """What a progress callback receives at a checkpoint."""

    steps: int
    """Steps so far."""
    total_steps: int
    """Steps of the whole training."""
    steps_per_second: float
    """Steps per second of wall time, updates included."""
    success_at_end: float
    """Share of the episodes since the last checkpoint that ended in success."""
    workers_replaced: int = 0
    """Workers that died and were replaced so far."""


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """Result of a training."""

    policy: Policy
    """The trained policy."""
    seconds: float
    """Wall time of all its runs [s]."""
    curve: tuple[dict[str, float], ...]
    """Learning curve: `steps`, `episodes`, and the means of `success_at_end`, `success_once` and `return`."""
    workers_replaced: int = 0
    """Workers that died and were replaced in this run."""


@dataclass(frozen=True, kw_only=True)
class TrainingProgress:
    """State of a training's record at a checkpoint."""

    training: TrainingConfig
    """Settings of the training."""
    digest: str
    """Digest of the pack."""
    prior_steps: int = 0
    """Steps of the policy that the training started from."""
    seconds: float = 0.0
    """Wall time so far [s]."""
    curve: tuple[dict[str, float], ...] = ()
    """Learning curve."""

    def with_point(self, point: dict[str, float], seconds: float) -> TrainingProgress:
        """Return the progress with one more point of the learning curve after `seconds` of wall time."""
        return replace(self, curve=(*self.curve, point), seconds=seconds)

    def report(self, *, workers_replaced: int = 0) -> ProgressReport:
        """Return the report for a progress callback."""
        last = self.curve[-1]
        return ProgressReport(
            steps=int(last["steps"]),
            total_steps=self.training.steps,
            steps_per_second=last["steps"] / max(self.seconds, 1e-9),
            success_at_end=last["success_at_end"],
            workers_replaced=workers_replaced,
        )

    def to_record(self) -> dict[str, Any]:
        """Return the content of `training.json` in JSON types."""
        return {
            "training": plain(self.training),
            "digest": self.digest,
            "before": self.prior_steps,
            "seconds": self.seconds,
            "curve": list(self.curve),
        }


def curve_point(steps: int, episode_metrics: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return a point of the learning curve from the metrics of ended episodes; means are 0 where none has ended."""
    count = max(len(episode_metrics), 1)
    means = {name: sum(float(metrics[name]) for metrics in episode_metrics) / count for name in CURVE_METRICS}
    return {"steps": steps, "episodes": len(episode_metrics), **means}


def require_no_training(folder: Path) -> None:
    """Raise `InputError` where a folder contains a training or a policy."""
    if (folder / TRAINING_FILE).exists() or (folder / CARD_FILE).exists():
        raise InputError(
            f"a policy in {os.fspath(folder)!r}",
            expected="a folder without one",
            hint="Go on with it by --resume, or name another folder.",
        )
    other_names = [path.name for path in folder.iterdir() if path.name != LOGS_FOLDER] if folder.is_dir() else []
    other_names = [name for name in other_names if not name.startswith(("state-", "rllib-", STAGING_PREFIX))]
    if other_names or (folder.exists() and not folder.is_dir()):
        raise OutputError(
            f"something that is no training at {os.fspath(folder)!r} ({', '.join(sorted(other_names)[:3])})",
            expected="a new or empty folder",
            hint="Choose another folder with -o.",
        )


def read_training_record(folder: Path, *, runner: str) -> dict[str, Any]:
    """Return the record of the training in a folder; raises `InputError` where there is none, or another runner's."""
    if not (folder / TRAINING_FILE).is_file():
        raise InputError(
            f"no {TRAINING_FILE} in {os.fspath(folder)!r}",
            expected="a training that was begun there",
            hint="Leave out --resume to begin one.",
        )
    try:
        record = json.loads((folder / TRAINING_FILE).read_bytes())
        begun_runner = record.get("runner", "local")
    except (ValueError, AttributeError) as error:
        raise damaged_training_error(folder, error) from error
    if begun_runner != runner:
        raise InputError(
            f"a training in {os.fspath(folder)!r} that was begun with --runner {begun_runner}",
            expected=f"one that was begun with --runner {runner}",
            hint=f"Type --runner {begun_runner}, or begin anew in another folder.",
        )
    return dict(record)


def damaged_training_error(folder: Path, error: Exception) -> InputError:
    """Return the error for a training whose files are damaged."""
    return InputError(
        f"a training in {os.fspath(folder)!r} that cannot go on ({error})"[:300],
        expected=f"{TRAINING_FILE} and the state that it names, as they were written",
        hint="Begin anew in another folder.",
    )


def require_same_settings(record: dict[str, Any], progress: TrainingProgress) -> None:
    """Raise `InputError` where a training was begun with other settings; the number of steps may differ."""
    settings = plain(progress.training) | {"steps": 0}
    begun_settings = record["training"] | {"steps": 0}
    differing = sorted(name for name in settings if settings[name] != begun_settings.get(name))
    if record["digest"] != progress.digest:
        differing.append("pack")
    if differing:
        raise InputError(
            f"a training that was begun with another {', '.join(differing)}",
            expected="the settings that it was begun with",
            hint="Give the same ones, or begin anew in another folder.",
        )
