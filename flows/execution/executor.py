"""Where stages are carried out: looks a result up by content, or makes it, keeps it and says how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cousins.codec import decode, encode
from cousins.store import Store, digest_of
from flows.execution.code_version import code_version

VALUE = "value.bin"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A stage's result by content: all that stages pass to each other."""

    stage: str
    """Stage that made it."""
    digest: str
    """SHA-256 of its files."""
    began: float
    """Start on the machine's monotonic clock [s]."""
    ended: float
    """End on the same clock [s]."""
    reused: bool
    """True where an earlier run had made it."""

    @property
    def seconds(self) -> float:
        """How long it took [s]."""
        return self.ended - self.began


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may choose about a scan."""

    seed: int = 0
    """Root of all randomness."""
    segmenter: str = "geometric"
    """Back-end that tells objects apart."""
    segmenter_weights: str | None = None
    """Path of its weights; None where it has none."""
    segmenter_digest: str | None = None
    """SHA-256 of these."""
    namer: str | None = None
    """Back-end that names things; None leaves names to geometry."""
    namer_weights: str | None = None
    """Path of its weights."""
    namer_digest: str | None = None
    """SHA-256 of these."""
    format: str | None = None
    """Format of the export; None recognises it."""
    up: Literal["y", "z"] | None = None
    """Up axis of a finished mesh; None takes what its format says."""
    tag_size_m: float | None = None
    """Side of the printed tags in the scene [m]; None where there are none."""
    scale_distances: tuple[str, ...] = ()
    """Distances that a person measured, as `cousins.scale.distance` reads them."""
    scale_room: str | None = None
    """Path of a layout scan of the same room, whose walls measure the scale; None where there is none."""
    scale_room_digest: str | None = None
    """SHA-256 of it."""
    face_model: str | None = None
    """Path of the model that finds faces to blur; None leaves them."""
    face_digest: str | None = None
    """SHA-256 of it."""
    name: str | None = None
    """What the scene is called; None: a neutral word, because names of files may tell whose they are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """One step of a scan."""

    name: str
    """As shown to the user and in `stage_seconds`."""
    top: str
    """Highest package that its code reaches; decides whose changes make its results stale."""
    work: Callable[..., Any]
    """Called with the desk, an empty folder, and the inputs by name; returns the value, or None after writing files."""
    kind: Any = None
    """Type of the value; None where the work writes files itself."""
    read: Callable[[Path], Any] | None = None
    """Reads a value that is kept as files."""
    options: tuple[str, ...] = ()
    """Fields of `Options` that change its result."""


Tell = Callable[[Stage, Reference | None], None]
"""Hears of every stage, at its start with None and at its end with the reference."""


def say_nothing(stage: Stage, reference: Reference | None) -> None:
    """Hear of a stage and keep quiet."""


def _start_nothing() -> None:
    """Need no help."""


@dataclass(eq=False)
class Desk:
    """One scan at work: the store, the options, and the values that are at hand."""

    store: Store
    """Where results are kept."""
    options: Options
    """What the user chose."""
    tell: Tell = field(default=say_nothing)
    """Shows progress."""
    when_work_begins: Callable[[], None] = field(default=_start_nothing)
    """Called before the first result that must be made."""
    at_hand: dict[str, Any] = field(default_factory=dict)
    """Values by digest, so that they are not read again."""

    def carry_out(self, stage: Stage, **inputs: Any) -> Reference:
        """Return the stage's result from the store, or make it."""
        began = time.monotonic()
        self.tell(stage, None)
        computed: list[Any] = []

        def fill(folder: Path) -> None:
            self.when_work_begins()
            value = stage.work(self, folder, **inputs)
            if stage.kind is not None:
                (folder / VALUE).write_bytes(encode(value, root=self.store.root))
                computed.append(value)

        entry = self.store.make(self._key(stage, inputs), fill)
        if computed:
            self.at_hand[entry.digest] = computed[0]
        reference = Reference(
            stage=stage.name, digest=entry.digest, began=began, ended=time.monotonic(), reused=entry.reused
        )
        self.tell(stage, reference)
        return reference

    def read(self, stage: Stage, result: Reference) -> Any:
        """Return the value of a result."""
        if result.digest not in self.at_hand:
            folder = self.folder(result)
            if stage.read is not None:
                value = stage.read(folder)
            else:
                value = decode(stage.kind, (folder / VALUE).read_bytes(), root=self.store.root)
            self.at_hand[result.digest] = value
        return self.at_hand[result.digest]

    def folder(self, result: Reference) -> Path:
        """Return the folder with a result's files."""
        return self.store.root / "values" / result.digest

    def rng(self, *path: int) -> np.random.Generator:
        """Return the generator of a place in the job; the same for the same seed, whatever else was asked for."""
        return np.random.default_rng(np.random.SeedSequence(self.options.seed, spawn_key=path))

    def _key(self, stage: Stage, inputs: Mapping[str, Any]) -> str:
        return digest_of(
            {
                "stage": stage.name,
                "code": code_version(stage.top),
                "inputs": {name: _key_part(value) for name, value in inputs.items()},
                "options": {name: getattr(self.options, name) for name in stage.options},
            }
        )


def _key_part(value: Any) -> Any:
    if isinstance(value, Reference):
        return value.digest
    if isinstance(value, tuple):
        return [_key_part(item) for item in value]
    return value if isinstance(value, str | int) else value.digest
