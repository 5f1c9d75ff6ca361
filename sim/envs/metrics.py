"""How episodes went: the metrics that ManiSkill names, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cousins.geometry import Array
from sim.envs.episodes import Stepped


class Metrics:
    """Counts over the running episode of each row."""

    def __init__(self, size: int, profiles: Sequence[str], hold_steps: int) -> None:
        self.profiles, self.hold_steps = tuple(profiles), hold_steps
        self.total = np.zeros(size)
        self.length = np.zeros(size, dtype=np.int64)
        self.held = np.zeros(size, dtype=np.int64)
        self.failed = np.zeros(size, dtype=np.bool_)
        self.fail_once = np.zeros(size, dtype=np.bool_)
        self.now = np.zeros((size, len(profiles)), dtype=np.bool_)
        self.once = np.zeros((size, len(profiles)), dtype=np.bool_)
        self.progress = np.zeros(size)

    def clear(self, rows: Sequence[int]) -> None:
        """Begin anew in rows."""
        for counts in self.arrays().values():
            counts[rows] = 0

    def add(self, stepped: Stepped, reward: Array, live: Array) -> None:
        """Count a step of the rows that are live, bool [n]."""
        self.total += np.where(live, reward, 0.0)
        self.length += live
        self.held[:] = np.where(live, np.where(stepped.successes[:, 0], self.held + 1, 0), self.held)
        self.failed[:] = np.where(live, stepped.failed, self.failed)
        self.fail_once |= live & stepped.failed
        self.now[:] = np.where(live[:, None], stepped.successes, self.now)
        self.once |= self.now
        self.progress[:] = np.where(live, stepped.progress, self.progress)

    def arrays(self) -> dict[str, Array]:
        """Return the counts themselves."""
        names = ("total", "length", "held", "failed", "fail_once", "now", "once", "progress")
        return {name: getattr(self, name) for name in names}

    def told(self, done: Array) -> dict[str, Any]:
        """Return the metrics of episodes that ended just now, as Gymnasium's vectors tell them.

        `success_at_end` is ours: the condition holds at the end and has for the time that it must be held.
        `once` and `at_end` tell of every profile whether its condition held at some step, and at the last.
        """
        found: dict[str, Any] = {
            "return": self.total.copy(),
            "length": self.length.copy(),
            "reward": self.total / np.maximum(self.length, 1),
            "progress": self.progress.copy(),
            "success_once": self.once[:, 0].copy(),
            "success_at_end": self.held >= self.hold_steps,
            "fail_once": self.fail_once.copy(),
            "fail_at_end": self.failed.copy(),
            "once": self._by_profile(self.once, done),
            "at_end": self._by_profile(self.now, done),
        }
        return found | {f"_{key}": done for key in found}

    def _by_profile(self, table: Array, done: Array) -> dict[str, Array]:
        columns = {name: table[:, number].copy() for number, name in enumerate(self.profiles)}
        return columns | {f"_{name}": done for name in self.profiles}
