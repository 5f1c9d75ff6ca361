"""Metrics of episodes by row, with the names that ManiSkill uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cousins.geometry import Array
from sim.envs.episodes import StepResult


class EpisodeMetrics:
    """Accumulators over the running episode of each of n rows."""

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
        """Set the accumulators of some rows, by number, to zero."""
        for counts in self.arrays().values():
            counts[rows] = 0

    def add(self, result: StepResult, reward: Array, is_live: Array) -> None:
        """Add a step with rewards [n] to the rows that are live, bool [n]."""
        self.total += np.where(is_live, reward, 0.0)
        self.length += is_live
        self.held[:] = np.where(is_live, np.where(result.successes[:, 0], self.held + 1, 0), self.held)
        self.failed[:] = np.where(is_live, result.failed, self.failed)
        self.fail_once |= is_live & result.failed
        self.now[:] = np.where(is_live[:, None], result.successes, self.now)
        self.once |= self.now
        self.progress[:] = np.where(is_live, result.progress, self.progress)

    def arrays(self) -> dict[str, Array]:
        """Return the accumulators by name, arrays [n] or [n, profiles], as views: a snapshot reads and writes them."""
        names = ("total", "length", "held", "failed", "fail_once", "now", "once", "progress")
        return {name: getattr(self, name) for name in names}

    def episode_info(self, has_ended: Array) -> dict[str, Any]:
        """Return the metrics of the episodes that ended in this step, bool [n], laid out as Gymnasium's info.

        `success_at_end` means that the condition holds at the end and has held for the required time. `once` and
        `at_end` hold, for each profile, whether its condition held at any step, and at the last one.
        """
        metrics: dict[str, Any] = {
            "return": self.total.copy(),
            "length": self.length.copy(),
            "reward": self.total / np.maximum(self.length, 1),
            "progress": self.progress.copy(),
            "success_once": self.once[:, 0].copy(),
            "success_at_end": self.held >= self.hold_steps,
            "fail_once": self.fail_once.copy(),
            "fail_at_end": self.failed.copy(),
            "once": self._by_profile(self.once, has_ended),
            "at_end": self._by_profile(self.now, has_ended),
        }
        return metrics | {f"_{key}": has_ended for key in metrics}

    def _by_profile(self, table: Array, has_ended: Array) -> dict[str, Array]:
        columns = {name: table[:, number].copy() for number, name in enumerate(self.profiles)}
        return columns | {f"_{name}": has_ended for name in self.profiles}
