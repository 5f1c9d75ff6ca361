"""From a recognised input to the references of its twin: which stages run, in which order, on which inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from cousins.capture.captures import Capture
from cousins.fusion.pose_refinement import Refined
from cousins.importers.recognition import InputKind, ScanInput
from cousins.reconstruct.objects import ReconstructedObject
from cousins.scene.scenes import Scene
from cousins.segment.segments import Segmentation
from flows.execution.executor import StageExecutor
from flows.execution.stage import Reference, StageCall, StageRunner, deferred, deferred_all
from flows.pipeline.stages import (
    ALIGN_TO_LAYOUT,
    ASSEMBLE,
    CHECK_CAPTURE,
    DRAW,
    GATE,
    INGEST,
    MESH,
    NAME,
    RECONSTRUCT,
    REFINE,
    RENDER,
    ROOM,
    SEGMENT,
    SETTLE,
    WRITE,
    Checks,
)
from sim.validation.gates import GateReport
from sim.validation.settle import SettleResult


@dataclass(frozen=True, kw_only=True)
class CaptureResults:
    """What became of a capture's frames, by reference."""

    capture: Reference[Capture]
    """Canonical capture."""
    checks: Reference[Checks]
    """Convention check and quality report."""
    refined: Reference[Refined]
    """Capture with refined poses."""
    aligned: Reference[Refined]
    """The same in the metres of a layout scan; `refined` itself where there is none."""
    segmented: Reference[Segmentation]
    """Segmentation with labels by geometry."""
    named: Reference[Segmentation]
    """The same with labels by the namer; `segmented` itself where there is none."""
    objects: tuple[Reference[ReconstructedObject], ...]
    """One asset or failure by segment."""

    @property
    def references(self) -> tuple[Reference[object], ...]:
        """All of them, each once, in the order of the stages."""
        listed = (self.capture, self.checks, self.refined, self.aligned, self.segmented, self.named, *self.objects)
        return tuple({id(reference): reference for reference in listed}.values())


@dataclass(frozen=True, kw_only=True)
class TwinResults:
    """The results of a scan, by reference."""

    capture: CaptureResults | None
    """What the frames gave; None for a layout scan or a mesh, which have none."""
    scene: Reference[Scene]
    """Assembled scene."""
    settled: Reference[SettleResult]
    """Scene at rest."""
    written: Reference[Scene]
    """Scene folder."""
    gates: Reference[GateReport]
    """Gate report."""
    pictures: Reference[Path]
    """Pictures and previews."""

    @property
    def references(self) -> tuple[Reference[object], ...]:
        """All of them, in the order of the stages."""
        last = (self.scene, self.settled, self.written, self.gates, self.pictures)
        return last if self.capture is None else (*self.capture.references, *last)


def build_twin(source: ScanInput, runner: StageRunner, executor: StageExecutor) -> TwinResults:
    """Run all stages of an input; raises the errors of the stages."""
    return BUILDERS[source.kind](source, runner, executor)


def _build_from_frames(source: ScanInput, runner: StageRunner, executor: StageExecutor) -> TwinResults:
    frames = _process_frames(source, runner, executor)
    scene = runner.run(
        ASSEMBLE(
            capture=deferred(frames.capture),
            checks=deferred(frames.checks),
            refined=deferred(frames.aligned),
            segmentation=deferred(frames.named),
            objects=deferred_all(frames.objects),
        )
    )
    return _finish(scene, frames, runner)


def _build_from_room(source: ScanInput, runner: StageRunner, _: StageExecutor) -> TwinResults:
    return _finish(runner.run(ROOM(export=source)), None, runner)


def _build_from_mesh(source: ScanInput, runner: StageRunner, _: StageExecutor) -> TwinResults:
    return _finish(runner.run(MESH(export=source)), None, runner)


BUILDERS: Final[dict[InputKind, Callable[[ScanInput, StageRunner, StageExecutor], TwinResults]]] = {
    "capture": _build_from_frames,
    "room": _build_from_room,
    "mesh": _build_from_mesh,
}
"""How each kind of input becomes a twin."""


def _process_frames(source: ScanInput, runner: StageRunner, executor: StageExecutor) -> CaptureResults:
    capture = runner.run(INGEST(export=source))
    checks = runner.run(CHECK_CAPTURE(capture=deferred(capture)))
    refined = runner.run(REFINE(capture=deferred(capture)))
    aligned = refined
    if executor.options.scale_room is not None:
        aligned = runner.run(ALIGN_TO_LAYOUT(refined=deferred(refined)))
    segmented = runner.run(SEGMENT(refined=deferred(aligned)))
    labelled = segmented
    if executor.options.namer is not None:
        labelled = runner.run(NAME(refined=deferred(aligned), segmentation=deferred(segmented)))
    sizes = [len(segment.points) for segment in executor.load(labelled).segments]
    largest_first = sorted(range(len(sizes)), key=lambda index: (-sizes[index], index))
    calls = [
        RECONSTRUCT(refined=deferred(aligned), segmentation=deferred(labelled), index=index) for index in largest_first
    ]
    by_index = dict(zip(largest_first, runner.run_all("reconstruct", calls), strict=True))
    return CaptureResults(
        capture=capture,
        checks=checks,
        refined=refined,
        aligned=aligned,
        segmented=segmented,
        named=labelled,
        objects=tuple(by_index[index] for index in range(len(sizes))),
    )


def _finish(scene: Reference[Scene], frames: CaptureResults | None, runner: StageRunner) -> TwinResults:
    settled = runner.run(SETTLE(scene=deferred(scene)))
    written = runner.run(WRITE(settled=deferred(settled)))
    draw = RENDER(scene=deferred(written))
    if frames is not None:
        draw = DRAW(refined=deferred(frames.aligned), segmentation=deferred(frames.named), scene=deferred(written))
    calls: list[StageCall[GateReport | Path]] = [GATE(scene=deferred(written)), draw]
    gates, pictures = runner.run_all("gate, pictures", calls)
    return TwinResults(
        capture=frames,
        scene=scene,
        settled=settled,
        written=written,
        gates=cast("Reference[GateReport]", gates),
        pictures=cast("Reference[Path]", pictures),
    )
