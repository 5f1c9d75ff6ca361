"""Recorded episodes: observations, states and actions of each step, and the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cousins.geometry import Array
from sim.bodies.columns import Column
from sim.worlds.worlds import Slots, State


@dataclass(frozen=True, kw_only=True)
class RunMetadata:
    """Metadata that all rollouts of one recording share."""

    digest: str
    """Digest of the pack."""
    engine: str
    """Name of the engine."""
    engine_version: str
    """Version of the engine."""
    task: str
    """Name of the task."""
    profiles: tuple[str, ...]
    """Names of the threshold profiles of success, `ours` first."""
    body: str
    """Name of the body."""
    drives: tuple[str, ...]
    """Names of the driven joints of the body."""
    actions: tuple[str, ...]
    """Name of each component of an action."""
    step_s: float
    """Duration of a control step [s]."""
    columns: tuple[Column, ...]
    """Name, unit, frame and sources of each number of a policy's observation."""
    privileged_columns: tuple[Column, ...]
    """The same of the observations for a critic alone."""
    slots: Slots
    """Objects and joints of the columns of the state."""
    label: str = ""
    """Label that every result must carry, such as `sim-to-sim`; empty for none."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rollout:
    """One episode of t steps; t is 0 where the engine failed to begin it. Observations are from before each action."""

    metadata: RunMetadata
    """Metadata that it shares with the other rollouts."""
    cousin: int
    """Number of the cousin."""
    start: int
    """Number of the start in the cousin."""
    seed: int
    """Seed that the row was reset with."""
    policy: Array
    """Observations of a policy, float32 [t, p]."""
    privileged: Array
    """Observations for a critic alone, float32 [t, q]."""
    state: State
    """State of the world before each action; its arrays are [t, ...]."""
    action: Array
    """Actions, float32 [t, a] in [-1, 1]."""
    reward: Array
    """Rewards of the steps, float32 [t]."""
    progress: Array
    """Progress after each step, 0 to 1, float32 [t]."""
    successes: Array
    """Whether the success condition of each profile holds after each step, bool [t, profiles]."""
    terminated: bool
    """Whether the episode was terminated: its target was lost."""
    truncated: bool
    """Whether the episode reached its horizon, or its world broke."""
    success_at_end: bool
    """Whether the condition of the first profile held at the end, for the required time."""
    success_once: bool
    """Whether the condition of the first profile held at any step."""
    profiles_once: Mapping[str, bool]
    """Whether the condition of each profile held at any step."""
    profiles_at_end: Mapping[str, bool]
    """Whether the condition of each profile held at the last step."""
    fault: str = ""
    """Fault of the world in the engine's words; empty for none."""

    @property
    def steps(self) -> int:
        """Number of steps t."""
        return len(self.action)
