"""Tasks: what is to be done in a cousin, what a policy sees of it, and when it is done.

A task is a frozen value. Which cousins afford it is derived from signatures and from the cousin's own task, with a
proof in words; the numbers of an episode are taken then, once. All that happens per step is a pure function over rows.
Lengths are in metres, angles in radians; policies see everything in the frame of the robot's base, and no names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cousins.affordances import Signature
from cousins.geometry import Array
from cousins.plugins import load, names
from cousins.scene.scenes import Scene
from cousins.vary.cousins import Cousin
from cousins.vary.placement.footprints import Footprint
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import Rows
from sim.tasks.task_view import View
from sim.worlds.worlds import State

BACKENDS: Final = "sim.tasks.backends"
PROFILES: Final = ("ours", "maniskill", "libero", "robosuite", "metaworld", "robocasa")
"""Names of sets of thresholds, those of public benchmarks among them; a task lists those that define it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Known:
    """A cousin as a task looks at it."""

    cousin: Cousin
    """As parameters."""
    scene: Scene
    """As it lies."""
    signatures: Mapping[str, Signature]
    """What each object affords, by name."""
    outlines: Mapping[str, Footprint]
    """Objects from above, by name."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Why a cousin does not afford a task."""

    reason: str
    """In words, without a name or number of this cousin, so that reasons can be counted."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Judged:
    """How a step went, row by row."""

    reward: Array
    """Staged reward, 0 to 1, [n]."""
    progress: Array
    """How much is done, 0 to 1, [n]."""
    successes: Array
    """Whether the condition of each of the task's profiles holds now, bool [n, profiles]; the first is ours."""
    failed: Array
    """Whether nothing can be done any more, bool [n]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Task:
    """What is to be done, as functions over rows."""

    name: str
    """Public name, such as `push`."""
    bodies: tuple[str, ...]
    """Names of the bodies that suit it, best first."""
    horizon_s: float
    """Duration of an episode [s]."""
    profiles: tuple[str, ...]
    """Columns of `Judged.successes`, `ours` first."""
    config: Any
    """The frozen values that it was built from."""
    afford: Callable[[Known, str], Episode | Refused]
    """Return the episode of a cousin for a body of that name, or why there is none."""
    observe: Callable[[Rows, View], Array]
    """Return what a policy sees beside its own body [n, p], in the frame of the base."""
    judge: Callable[[Rows, View], Judged]
    """Tell how it goes."""
    choose: Callable[[Rows, State], Array] | None = None
    """Return which part is the target now [n]; None where it is always the first."""
    moves_base: bool = False
    """True where a robot may stand elsewhere than the cousin has it."""
    most_parts: int = 1
    """Most objects that are handled in one episode."""


def task_names() -> list[str]:
    """Return the names of all tasks."""
    return names(BACKENDS)


def build_task(name: str, **options: Any) -> Task:
    """Return a task by name, with fields of its `Config`; raises `UnknownNameError`."""
    module = load(BACKENDS, name, kind="task")
    task: Task = module.build(module.Config(**options))
    return task
