"""What is kept of an episode: what was seen and done at each step, and how it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cousins.geometry import Array
from sim.worlds.worlds import Slots, State


@dataclass(frozen=True, kw_only=True)
class About:
    """What all rollouts of one run share."""

    digest: str
    """Digest of the pack."""
    engine: str
    """Name of the engine."""
    engine_version: str
    """Version of the engine."""
    task: str
    """Name of the task."""
    profiles: tuple[str, ...]
    """Names of the sets of thresholds, `ours` first."""
    body: str
    """Name of the body."""
    drives: tuple[str, ...]
    """Names of its driven joints."""
    actions: tuple[str, ...]
    """What each number of an action moves."""
    step_s: float
    """Time between two actions [s]."""
    slots: Slots
    """Columns of the state."""
    label: str = ""
    """What must be told with every number, such as `sim-to-sim`; empty for nothing."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rollout:
    """One episode of t steps; t is 0 where no engine could begin it. What is seen is from before each action."""

    about: About
    """What it shares with the others."""
    cousin: int
    """Number of the cousin."""
    start: int
    """Number of the start in it."""
    seed: int
    """What the row was reset with."""
    policy: Array
    """What a policy sees, float32 [t, p]."""
    privileged: Array
    """What only a critic may see, float32 [t, q]."""
    state: State
    """The world; its rows are the steps."""
    action: Array
    """What was done, float32 [t, a] in [-1, 1]."""
    reward: Array
    """What came of it, float32 [t]."""
    progress: Array
    """How much is done after the step, 0 to 1, float32 [t]."""
    successes: Array
    """Whether each profile's condition holds after the step, bool [t, profiles]."""
    terminated: bool
    """Whether it ended because nothing could be done any more."""
    truncated: bool
    """Whether its time had passed, or its world broke."""
    success_at_end: bool
    """Whether our condition held at the end, for as long as it must."""
    success_once: bool
    """Whether it held at any step."""
    once: Mapping[str, bool]
    """Whether each profile's condition held at any step."""
    at_end: Mapping[str, bool]
    """Whether it held at the last step."""
    fault: str = ""
    """What broke, in the engine's words; empty for nothing."""

    @property
    def steps(self) -> int:
        """How many actions were taken."""
        return len(self.action)
