"""Outcomes of episodes as they are stored: what happened, and a hash of every state on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from cousins.errors import InputError


@dataclass(frozen=True, kw_only=True)
class EpisodeOutcome:
    """Outcome of one episode."""

    cousin: int
    """Number of the cousin."""
    start: int
    """Number of the start in the cousin."""
    success: bool
    """Whether the success condition held at the end, for the required time."""
    success_once: bool
    """Whether the condition held at any step."""
    progress: float
    """Progress at the end, 0 to 1."""
    failure: str
    """Empty at success, else the kind of failure."""
    fault: str
    """Fault of the world or the policy in its own words; empty for none."""
    states: str
    """SHA-256 of all states of the episode; empty where there were none."""
    steps: int
    """Number of actions."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Numbers at the end that bands are learned for, by name."""
    cpu_s: float = 0.0
    """CPU time that it took [s]; no part of what is compared."""

    @property
    def pair(self) -> tuple[int, int]:
        """Number of the cousin and of the start."""
        return self.cousin, self.start


_TYPES: Mapping[str, type] = {
    "cousin": int,
    "start": int,
    "success": bool,
    "success_once": bool,
    "progress": float,
    "failure": str,
    "fault": str,
    "states": str,
    "steps": int,
    "values": dict,
    "cpu_s": float,
}


def outcome_record(outcome: EpisodeOutcome) -> dict[str, Any]:
    """Return an outcome as JSON values."""
    record = {item.name: getattr(outcome, item.name) for item in fields(outcome)}
    return record | {"values": dict(outcome.values), "cpu_s": round(outcome.cpu_s, 4)}


def read_outcome(record: Any, *, source: str) -> EpisodeOutcome:
    """Return the outcome of a JSON value; raises `InputError` where it is none."""
    is_whole = isinstance(record, dict) and set(record) == set(_TYPES)
    if not is_whole or any(not _has_type(record[name], kind) for name, kind in _TYPES.items()):
        raise InputError(
            f"an outcome in {source} that is damaged: {str(record)[:80]}",
            expected="an object with " + ", ".join(_TYPES),
            hint="It was not written by `cousins regress`: restore or remove the file.",
        )
    values = {str(name): float(value) for name, value in record["values"].items()}
    return EpisodeOutcome(**(record | {"values": values}))


def _has_type(value: Any, kind: type) -> bool:
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    if kind is dict:
        return isinstance(value, dict) and all(_has_type(item, float) for item in value.values())
    return type(value) is kind
