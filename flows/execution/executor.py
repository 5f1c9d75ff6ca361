"""Runs stages: looks a result up by content, or computes it, stores it and measures how long it took."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numpy as np

from cousins.codec import read_value, write_value
from cousins.seeding import child_rng
from cousins.store import Store, json_digest
from flows.execution.code_version import code_version
from flows.execution.stage import ProgressCallback, Reference, Stage, StageCall, StageContext, no_progress
from flows.execution.stage_options import StageOptions

KEPT_VALUES = 4
"""Values that are kept in memory: what the stages that follow each other share. The textures of all objects, in each
of the forms that a scene takes, would be gigabytes."""
VALUE = "value.bin"
"""File of a value that the codec wrote."""

T = TypeVar("T")


class HasDigest(Protocol):
    """A value that is named by its content, such as the user's input."""

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        ...


def _no_hook() -> None:
    """Do nothing."""


@dataclass(eq=False)
class StageExecutor:
    """The store, the options and the loaded values of one run; a `StageRunner` in this process alone."""

    store: Store
    """Where results are kept."""
    options: StageOptions
    """What the user chose."""
    progress: ProgressCallback = field(default=no_progress)
    """Receives the start and end of every stage."""
    before_first_compute: Callable[[], None] = field(default=_no_hook)
    """Called before each result that is not in the store; must be cheap when repeated."""
    memo: OrderedDict[str, object] = field(default_factory=OrderedDict)
    """The `KEPT_VALUES` values that were used last, by digest, so that they are not read again."""

    def run(self, call: StageCall[T]) -> Reference[T]:
        """Return the result of a call from the store, or compute it; raises the errors of the stage."""
        started = time.monotonic()
        stage = call.stage
        self.progress(stage, None)

        def fill(folder: Path) -> None:
            self.before_first_compute()
            context = StageContext(
                options=self.options, rng=self.rng(*stage.rng_key, *_indices(call)), folder=folder, store=self.store
            )
            inputs = [self._value(item) for item in call.inputs]
            value = stage.compute(context, *inputs, **{name: self._value(item) for name, item in call.named.items()})
            if stage.kind is not None and value is not None:
                with (folder / VALUE).open("wb") as file:
                    write_value(value, file, root=self.store.root)

        entry = self.store.get_or_create(self._key(call), fill)
        reference = Reference(
            stage=stage, digest=entry.digest, started=started, ended=time.monotonic(), reused=entry.reused
        )
        self.progress(stage, reference)
        return reference

    def run_all(self, name: str, calls: Sequence[StageCall[T]]) -> tuple[Reference[T], ...]:  # noqa: ARG002
        """Run calls one after the other."""
        return tuple(self.run(call) for call in calls)

    def load(self, reference: Reference[T]) -> T:
        """Return the value that a reference stands for."""
        if reference.digest not in self.memo:
            self.memo[reference.digest] = self._read(reference)
        self.memo.move_to_end(reference.digest)
        value = cast("T", self.memo[reference.digest])
        while len(self.memo) > KEPT_VALUES:
            self.memo.popitem(last=False)
        return value

    def folder(self, reference: Reference[object]) -> Path:
        """Return the folder with a result's files."""
        return self.store.root / "values" / reference.digest

    def rng(self, *path: int) -> np.random.Generator:
        """Return the generator at a place below the seed; the same for the same seed, whatever else was drawn."""
        return child_rng(self.options.seed, *path)

    def _value(self, item: object) -> object:
        if isinstance(item, Reference):
            return self.load(item)
        if isinstance(item, tuple):
            # Many values, such as all objects, are the input of one stage: to keep them would drop what others share.
            return tuple(self._read(part) if isinstance(part, Reference) else part for part in item)
        return item

    def _read(self, reference: Reference[T]) -> T:
        return _read(reference.stage, self.folder(reference), self.store.root)

    def _key(self, call: StageCall[T]) -> str:
        stage = call.stage
        return json_digest(
            {
                "stage": stage.name,
                "code": code_version(stage.top_package),
                "inputs": [_key_part(item) for item in call.inputs],
                "named": {name: _key_part(item) for name, item in call.named.items()},
                "options": {name: getattr(self.options, name) for name in stage.options},
            }
        )


def _read(stage: Stage[..., T], folder: Path, root: Path) -> T:
    if stage.read is not None:
        return stage.read(folder)
    assert stage.kind is not None, f"the stage {stage.name} stores no value"
    return read_value(stage.kind, folder / VALUE, root=root)


def _indices(call: StageCall[T]) -> list[int]:
    return [item for item in (*call.inputs, *call.named.values()) if isinstance(item, int)]


def _key_part(item: object) -> object:
    if isinstance(item, tuple):
        return [_key_part(part) for part in item]
    return item if isinstance(item, str | int) else cast("HasDigest", item).digest
