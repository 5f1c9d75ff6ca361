"""A scan as one sentence, whoever carries it out: plain calls here, Prefect in `scan.py`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from cousins.capture.formats.single_frame import PickedFrame, is_image_of_frame
from cousins.errors import CaptureError
from cousins.importers.meshes import SUFFIXES
from cousins.importers.rooms import find_room
from cousins.store import Store, digest_of, file_digest
from flows.execution.executor import Desk, Options, Reference, Stage, Tell, say_nothing
from flows.execution.worker_process import Call, Partner
from flows.pipeline.stages import (
    ASSEMBLE,
    DRAW,
    GATE,
    INGEST,
    INSPECT,
    LAY_OVER,
    MESH,
    NAME,
    PORTRAY,
    RECONSTRUCT,
    REFINE,
    ROOM,
    SEGMENT,
    SETTLE,
    WRITE,
    Export,
)

STEPS = (INGEST, INSPECT, REFINE, SEGMENT, RECONSTRUCT, ASSEMBLE, SETTLE, WRITE, GATE, DRAW)
"""Stages of a scan, in order."""
MOST_FILES = 100_000
"""A folder with more files than this is no capture."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of a capture's frames, by reference."""

    capture: Reference
    """Canonical capture."""
    checks: Reference
    """Probe and quality report."""
    placed: Reference
    """Capture with refined poses."""
    refined: Reference
    """The same in the metres of a layout scan, where there is one."""
    told_apart: Reference
    """Segmentation with names by geometry."""
    found: Reference
    """The same with names by the namer, where there is one."""
    built: tuple[Reference, ...]
    """One asset or failure by segment."""


@dataclass(frozen=True, kw_only=True)
class Twin:
    """The results of a scan, by reference."""

    seen: Seen | None
    """What the frames gave; None for a layout scan, which has none."""
    scene: Reference
    """Assembled scene."""
    settled: Reference
    """Scene at rest."""
    written: Reference
    """Scene folder."""
    gates: Reference
    """Gate report."""
    pictures: Reference
    """Pictures and previews."""

    @property
    def references(self) -> tuple[Reference, ...]:
        """All of them, in the order of the stages."""
        after = (self.scene, self.settled, self.written, self.gates, self.pictures)
        if self.seen is None:
            return after
        seen = self.seen
        told = (seen.told_apart,) if seen.found is seen.told_apart else (seen.told_apart, seen.found)
        placed = (seen.placed,) if seen.refined is seen.placed else (seen.placed, seen.refined)
        return (seen.capture, seen.checks, *placed, *told, *seen.built, *after)


class Runner(Protocol):
    """Carries stages out."""

    def do(self, stage: Stage, **inputs: Any) -> Reference:
        """Carry out one stage."""
        ...

    def share(self, name: str, calls: list[Call]) -> tuple[Reference, ...]:
        """Carry out calls that do not need each other; `name` is shown to the user."""
        ...


def twin_of(export: Export, run: Runner, desk: Desk) -> Twin:
    """Turn an export into a twin: a capture by its frames, a layout scan or a finished mesh by what it tells."""
    if export.kind != "capture":
        return _finished(run.do(ROOM if export.kind == "room" else MESH, export=export), None, run)
    seen = _seen(export, run, desk)
    parts = {"capture": seen.capture, "checks": seen.checks, "refined": seen.refined, "found": seen.found}
    return _finished(run.do(ASSEMBLE, **parts, built=seen.built), seen, run)


def _seen(export: Export, run: Runner, desk: Desk) -> Seen:
    capture = run.do(INGEST, export=export)
    checks = run.do(INSPECT, capture=capture)
    placed = run.do(REFINE, capture=capture)
    refined = placed if desk.options.scale_room is None else run.do(LAY_OVER, refined=placed)
    told_apart = run.do(SEGMENT, refined=refined)
    named = desk.options.namer is not None
    found = run.do(NAME, refined=refined, found=told_apart) if named else told_apart
    sizes = [len(segment.points) for segment in desk.read(SEGMENT, found).segments]
    largest_first = sorted(range(len(sizes)), key=lambda index: (-sizes[index], index))
    objects = [(RECONSTRUCT, {"refined": refined, "found": found, "index": index}) for index in largest_first]
    by_index = dict(zip(largest_first, run.share("reconstruct", objects), strict=True))
    built = tuple(by_index[index] for index in range(len(sizes)))
    return Seen(
        capture=capture, checks=checks, placed=placed, refined=refined, told_apart=told_apart, found=found, built=built
    )


def _finished(scene: Reference, seen: Seen | None, run: Runner) -> Twin:
    settled = run.do(SETTLE, scene=scene)
    written = run.do(WRITE, settled=settled)
    draw: Call = (PORTRAY, {"written": written})
    if seen is not None:
        draw = (DRAW, {"refined": seen.refined, "found": seen.found, "written": written})
    gates, pictures = run.share("gate, pictures", [(GATE, {"written": written}), draw])
    return Twin(seen=seen, scene=scene, settled=settled, written=written, gates=gates, pictures=pictures)


@dataclass(frozen=True, eq=False)
class Plain:
    """Carries stages out by plain calls."""

    desk: Desk
    partner: Partner

    def do(self, stage: Stage, **inputs: Any) -> Reference:
        """Carry out one stage."""
        return self.desk.carry_out(stage, **inputs)

    def share(self, name: str, calls: list[Call]) -> tuple[Reference, ...]:  # noqa: ARG002
        """Carry out calls in two processes."""
        return self.partner.share(calls)


def scan_plain(export: Export, store: Store, options: Options, *, tell: Tell = say_nothing) -> tuple[Twin, Desk]:
    """Turn an export into a twin without Prefect; raises the errors of its stages."""
    desk = Desk(store=store, options=options, tell=tell)
    with closing(Partner(desk)) as partner, store.in_use():
        desk.when_work_begins = partner.start
        return twin_of(export, Plain(desk, partner), desk), desk


def export_of(source: Path) -> Export:
    """Name an export by its content; raises CaptureError where there is nothing or far too much."""
    if not source.exists():
        raise CaptureError(
            f"nothing at {str(source)!r}",
            expected="a phone export, as a folder or a zip",
            hint="Check the path; `cousins demo` makes a capture to try.",
        )
    room = find_room(source)
    if room is not None:
        return Export(path=room, digest=digest_of([room.name, file_digest(room)]), kind="room")
    if is_image_of_frame(source):
        parts = {name: file_digest(source.parent / name) for name in sorted(PickedFrame(source).names)}
        return Export(path=source, digest=digest_of([source.name, parts]))
    if source.is_file():
        kind: Literal["mesh", "capture"] = "mesh" if source.suffix.lower() in SUFFIXES else "capture"
        return Export(path=source, digest=digest_of([source.name, file_digest(source)]), kind=kind)
    files: dict[str, str] = {}
    for path in source.rglob("*"):
        if path.is_file():
            files[path.relative_to(source).as_posix()] = file_digest(path)
        if len(files) > MOST_FILES:
            raise CaptureError(
                f"a folder with more than {MOST_FILES} files",
                expected="one phone export",
                hint="Give the folder of a single capture.",
            )
    return Export(path=source, digest=digest_of([source.resolve().name, files]))
