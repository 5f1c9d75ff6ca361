"""How far a training has come: what every learner's folder tells of it, and what a reader may hear on the way."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cousins.codec import plain
from cousins.errors import InputError
from sim.train.config import Training
from sim.train.policies import CARD, Policy

RECORD: Final = "training.json"
LOGS: Final = "logs"
MARKS: Final = 40
"""Points of a learning curve."""
COUNTED: Final = ("success_at_end", "success_once", "return")
"""Metrics of an episode whose means are in a learning curve."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How a training goes."""

    steps: int
    """Steps done."""
    of: int
    """Steps in all."""
    steps_per_second: float
    """By the clock, updates included."""
    success_at_end: float
    """Share of the episodes since the last mark that ended in success."""
    replaced: int = 0
    """Workers that have died so far and were replaced."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training gave."""

    policy: Policy
    """The policy."""
    seconds: float
    """By the clock, of all runs of it."""
    curve: tuple[dict[str, float], ...]
    """Learning curve: `steps`, `episodes`, and of these `success_at_end`, `success_once` and `return`."""
    replaced: int = 0
    """Workers that have died in this run and were replaced."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """How far a training has come."""

    training: Training
    """What is learned."""
    digest: str
    """Digest of the pack."""
    before: int = 0
    """Steps of the policy that it started from."""
    seconds: float = 0.0
    """By the clock, so far."""
    curve: tuple[dict[str, float], ...] = ()
    """Learning curve."""

    def grown(self, point: dict[str, float], seconds: float) -> Mark:
        """Return the mark one point later."""
        return replace(self, curve=(*self.curve, point), seconds=seconds)

    def progress(self, *, replaced: int = 0) -> Progress:
        """Return what is told at the mark."""
        last = self.curve[-1]
        return Progress(
            steps=int(last["steps"]),
            of=self.training.steps,
            steps_per_second=last["steps"] / max(self.seconds, 1e-9),
            success_at_end=last["success_at_end"],
            replaced=replaced,
        )

    def told(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {
            "training": plain(self.training),
            "digest": self.digest,
            "before": self.before,
            "seconds": self.seconds,
            "curve": list(self.curve),
        }


def point_of(steps: int, ended: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return a point of the learning curve from the metrics of episodes; shares are 0 where none has ended."""
    means = {name: sum(float(one[name]) for one in ended) / max(len(ended), 1) for name in COUNTED}
    return {"steps": steps, "episodes": len(ended), **means}


def require_free(folder: Path) -> None:
    """Raise `InputError` where a folder holds a training or a policy."""
    if (folder / RECORD).exists() or (folder / CARD).exists():
        raise InputError(
            f"a policy in {os.fspath(folder)!r}",
            expected="a folder without one",
            hint="Go on with it by --resume, or name another folder.",
        )


def read_record(folder: Path, *, runner: str) -> dict[str, Any]:
    """Return what a folder tells of its training; raises `InputError` where there is none, or another runner's."""
    if not (folder / RECORD).is_file():
        raise InputError(
            f"no {RECORD} in {os.fspath(folder)!r}",
            expected="a training that was begun there",
            hint="Leave out --resume to begin one.",
        )
    try:
        record = json.loads((folder / RECORD).read_bytes())
        begun = record.get("runner", "local")
    except (ValueError, AttributeError) as error:
        raise unreadable(folder, error) from error
    if begun != runner:
        raise InputError(
            f"a training in {os.fspath(folder)!r} that was begun with --runner {begun}",
            expected=f"one that was begun with --runner {runner}",
            hint=f"Type --runner {begun}, or begin anew in another folder.",
        )
    return dict(record)


def unreadable(folder: Path, error: Exception) -> InputError:
    """Return the error that tells of a training whose files are damaged."""
    return InputError(
        f"a training in {os.fspath(folder)!r} that cannot go on ({error})"[:300],
        expected=f"{RECORD} and the state that it names, as they were written",
        hint="Begin anew in another folder.",
    )


def require_same(record: dict[str, Any], wanted: Mark) -> None:
    """Raise `InputError` where a training was begun with other settings; more steps are none."""
    asked = plain(wanted.training) | {"steps": 0}
    begun = record["training"] | {"steps": 0}
    other = sorted(name for name in asked if asked[name] != begun.get(name))
    if record["digest"] != wanted.digest:
        other.append("pack")
    if other:
        raise InputError(
            f"a training that was begun with another {', '.join(other)}",
            expected="the settings that it was begun with",
            hint="Give the same ones, or begin anew in another folder.",
        )
