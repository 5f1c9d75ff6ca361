"""What a stage is: a pure function of values, options and a random generator, with a name and a way to store its value.

Stages are called with references in place of values: `run(REFINE(capture=deferred(capture)))` is checked by the type
checker against the stage's own signature, and the executor loads what each reference stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast

import numpy as np

from cousins.store import Store
from flows.execution.stage_options import StageOptions

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class StageContext:
    """What a stage may use beside its input values."""

    options: StageOptions
    """What the user chose; a stage may read the fields that it declares."""
    rng: np.random.Generator
    """Generator of this stage; the same for the same seed, whatever else ran before."""
    folder: Path
    """Empty folder for stages whose value is kept as files."""
    store: Store
    """Store of results, for stages that keep intermediate results of their own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage(Generic[P, T_co]):
    """One step of a pipeline."""

    name: str
    """As shown to the user and in `stage_seconds`."""
    top_package: str
    """Highest package that its code reaches; decides whose changes make its results stale."""
    compute: Callable[Concatenate[StageContext, P], T_co | None]
    """Returns the value; None after writing files into the context's folder, which `read` then reads."""
    kind: type[T_co] | None = None
    """Type of the value, where it is stored by the codec."""
    read: Callable[[Path], T_co] | None = None
    """Reads a value that is kept as files."""
    rng_key: tuple[int, ...] = ()
    """Place of its generator among the seed's children; whole-number inputs extend it."""
    options: tuple[str, ...] = ()
    """Fields of `StageOptions` that change its result."""

    def __call__(self, *inputs: P.args, **named: P.kwargs) -> StageCall[T_co]:
        """Return a call of this stage, to be run by a `StageRunner`."""
        return StageCall(stage=self, inputs=inputs, named=named)


@dataclass(frozen=True, kw_only=True, eq=False)
class StageCall(Generic[T_co]):
    """A stage and its inputs, not yet run."""

    stage: Stage[..., T_co]
    """What to run."""
    inputs: tuple[object, ...] = ()
    """Positional inputs: references, tuples of references, or plain values with a digest."""
    named: dict[str, object]
    """Inputs by name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference(Generic[T_co]):
    """The result of a stage by content hash: all that stages pass to each other."""

    stage: Stage[..., T_co]
    """Stage that made it."""
    digest: str
    """SHA-256 of its files."""
    started: float
    """Start on the machine's monotonic clock [s]."""
    ended: float
    """End on the same clock [s]."""
    reused: bool
    """True where an earlier run had made it."""

    @property
    def seconds(self) -> float:
        """Duration [s]."""
        return self.ended - self.started


def deferred(reference: Reference[T]) -> T:
    """Return a reference in the place of its value, as an input of a stage; the executor loads it before the call."""
    return cast("T", reference)


def deferred_all(references: Sequence[Reference[T]]) -> tuple[T, ...]:
    """Return references in the place of a tuple of their values, as one input of a stage."""
    return tuple(deferred(reference) for reference in references)


class ProgressCallback(Protocol):
    """Receives every stage, at its start with no reference and at its end with its result."""

    def __call__(self, stage: Stage[..., object], reference: Reference[object] | None, /) -> None:
        """Handle one event."""


def no_progress(stage: Stage[..., object], reference: Reference[object] | None, /) -> None:
    """Ignore progress."""


class StageRunner(Protocol):
    """Runs stages: in this process, with a second one, or as Prefect tasks."""

    def run(self, call: StageCall[T]) -> Reference[T]:
        """Run one stage; raises the errors of the stage."""
        ...

    def run_all(self, name: str, calls: Sequence[StageCall[T]]) -> tuple[Reference[T], ...]:
        """Run calls that do not need each other, in any order; `name` is shown to the user."""
        ...
