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
from cousins.errors import InputError
from cousins.geometry import Array
from cousins.plugins import backend_names, called_with, load_backend
from cousins.scene.scenes import Scene
from cousins.vary.cousins import Cousin
from cousins.vary.placement.footprints import Footprint
from sim.bodies.capabilities import BodyCapabilities, BodyNeeds
from sim.bodies.columns import Column
from sim.bodies.named import bodies_for, capabilities_by_name
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.task_view import TaskView
from sim.worlds.worlds import State

BACKENDS: Final = "sim.tasks.backends"
PROFILES: Final = ("ours", "maniskill", "libero", "robosuite", "metaworld", "robocasa")
"""Names of sets of thresholds, those of public benchmarks among them; a task lists those that define it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TaskContext:
    """A cousin with its scene, signatures and footprints, from which tasks derive episodes."""

    cousin: Cousin
    """The cousin's parameters."""
    scene: Scene
    """The cousin's scene."""
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
class StepOutcome:
    """Outcome of a step by row."""

    reward: Array
    """Staged reward, 0 to 1, [n]."""
    progress: Array
    """Progress, 0 to 1, [n]."""
    successes: Array
    """Whether the condition of each of the task's profiles holds now, bool [n, profiles]; the first is ours."""
    failed: Array
    """Whether nothing can be done any more, bool [n]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Task:
    """What is to be done, as functions over rows."""

    name: str
    """Public name, such as `push`."""
    needs: BodyNeeds
    """Capabilities that a body must have."""
    horizon_s: float
    """Duration of an episode [s]."""
    profiles: tuple[str, ...]
    """Columns of `StepOutcome.successes`, `ours` first."""
    config: Any
    """The frozen values that it was built from."""
    afford: Callable[[TaskContext, BodyCapabilities], Episode | Refused]
    """Return the episode of a cousin for a body that has what the task needs, or why there is none."""
    observe: Callable[[EpisodeBatch, TaskView], Array]
    """Return what a policy sees beside its own body [n, p], in the frame of the base."""
    columns: tuple[Column, ...]
    """Name, unit, frame and sources of each number that `observe` returns, in order."""
    judge: Callable[[EpisodeBatch, TaskView], StepOutcome]
    """Return reward, progress, successes and failures by row."""
    choose: Callable[[EpisodeBatch, State], Array] | None = None
    """Return which part is the target now [n]; None where it is always the first."""
    moves_base: bool = False
    """True where a robot may stand elsewhere than the cousin has it."""
    max_parts: int = 1
    """Most objects that are handled in one episode."""

    @property
    def bodies(self) -> tuple[str, ...]:
        """Names of the bodies that have what it needs, the default first."""
        return bodies_for(self.needs)

    def require_body(self, body: BodyCapabilities) -> None:
        """Raise `InputError` for a body that lacks what the task needs; it names bodies that have it."""
        missing = self.needs.missing(body)
        if missing:
            raise InputError(
                f"body {body.name!r} for {self.name}: it lacks {' and '.join(missing)}",
                expected="one of " + ", ".join(self.bodies),
                hint="Choose a body that has what the task needs.",
            )


def capabilities_for(task: Task, name: str | None) -> BodyCapabilities:
    """Return the capabilities of a body by name or path, of the task's default for None; raises `InputError`.

    The body is refused where it lacks what the task needs.
    """
    body = capabilities_by_name(task.bodies[0] if name is None else name)
    task.require_body(body)
    return body


def task_names() -> list[str]:
    """Return the names of all tasks."""
    return backend_names(BACKENDS)


def build_task(name: str, **options: Any) -> Task:
    """Return a task by name, with fields of its `Config`; raises `UnknownNameError`, `InputError`."""
    module = load_backend(BACKENDS, name, kind="task")
    task: Task = module.build(called_with(module.Config, options=options, owner=f"the task {name}"))
    return task
