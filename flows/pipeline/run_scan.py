"""One scan from the user's input to the published scene folder, with its report and what it cost."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast

from cousins.codec import decode
from cousins.disk_errors import require_room
from cousins.errors import InputError
from cousins.extras import requires_extra
from cousins.fidelity.measurement import Fidelity
from cousins.importers.meshes import MESH_SUFFIXES
from cousins.importers.recognition import InputKind, ScanInput, recognise_input
from cousins.meshes import Mesh
from cousins.publishing import Contents, publish_folder
from cousins.reconstruct.objects import ReconstructedObject
from cousins.scene.scenes import Scene
from cousins.store import Store, file_digest, json_digest
from flows.execution.code_version import code_version
from flows.execution.executor import StageExecutor
from flows.execution.memory import watched_memory
from flows.execution.publish import published_run, require_free
from flows.execution.stage import (
    ProgressCallback,
    Reference,
    StageCall,
    StageRunner,
    deferred,
    deferred_all,
    no_progress,
)
from flows.execution.stage_options import StageOptions
from flows.execution.worker_process import LocalRunner
from flows.pipeline.ground_truth import compare
from flows.pipeline.scan_options import ScanOptions, resolve_options
from flows.pipeline.scan_results import CaptureResults, ScanRequest, ScanResult, TwinResults
from flows.pipeline.stages import (
    ALIGN_TO_LAYOUT,
    ASSEMBLE,
    CHECK_CAPTURE,
    DRAW,
    FIDELITY,
    FRAGMENTS,
    FUSE,
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
)
from flows.reporting.report import write_report
from flows.reporting.summary import busy_seconds, stage_seconds, summary_of
from sim.physics.installed import require_engines
from sim.synthetic.phone import Truth
from sim.validation.gates import GateReport

KEEP_BYTES: Final = 8_000_000_000
"""What the store may hold after a scan; the oldest results go first."""
PICTURES: Final = ("preview.png", "preview.glb")
"""Previews that a scene folder holds."""

Runner: TypeAlias = Literal["auto", "plain", "prefect"]
"""Plain calls, a Prefect flow, or Prefect where PREFECT_API_URL names a running server."""
OpenRunner: TypeAlias = Callable[[StageExecutor], AbstractContextManager[StageRunner]]
"""Opens what runs the stages of an executor."""


def default_store() -> Store:
    """Open the store at COUSINS_STORE, or in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Store(Path(os.environ.get("COUSINS_STORE") or cache / "cousins"))


def run_scan(
    request: ScanRequest,
    *,
    runner: Runner = "auto",
    progress: ProgressCallback = no_progress,
    store: Store | None = None,
) -> ScanResult:
    """Scan, publish the scene folder and return the result; raises `CousinsError`.

    Nothing is left at the output where it fails; stages that are done are reused by the next run.
    """
    if runner == "prefect" or (runner == "auto" and os.environ.get("PREFECT_API_URL")):
        with requires_extra("flows"):
            from flows.scan import scan_with_prefect

        return scan_with_prefect(request, progress=progress, store=store)
    return run_scan_with(local_runner, request, progress=progress, store=store)


@contextmanager
def local_runner(executor: StageExecutor) -> Iterator[StageRunner]:
    """Run stages in this process and a second one, which starts with the first result that must be computed."""
    with closing(LocalRunner(executor)) as runner:
        executor.before_first_compute = runner.start
        yield runner


def run_scan_with(
    open_runner: OpenRunner, request: ScanRequest, *, progress: ProgressCallback, store: Store | None
) -> ScanResult:
    """Scan with the runner that the context manager `open_runner` gives; otherwise like `run_scan`."""
    started = time.monotonic()
    earlier = None if request.force else published_run(request.output)
    before = {} if earlier else require_free(request.output, force=request.force)
    require_engines()
    require_room(request.output)
    options = resolve_options(request.options)
    store = default_store() if store is None else store
    require_room(store.root)
    with watched_memory() as peak, store.block_sweeps():
        source = recognise_input(request.source)
        _require_input_fits(source, request.options)
        key = request_key(source, options, request.truth)
        if earlier is not None and earlier[0] != key:
            require_free(request.output, force=False)
        executor = StageExecutor(store=store, options=options, progress=progress)
        with open_runner(executor) as stage_runner:
            twin = build_twin(source, stage_runner, executor)
        scene, gates = executor.load(twin.written), executor.load(twin.gates)
        summary = summary_of(twin, executor)
        if request.truth is not None:
            summary["truth"] = compare(scene, decode(Truth, request.truth.read_bytes()))
        reported = time.monotonic()
        seconds = stage_seconds(twin.references)
        reused = sorted({reference.stage.name for reference in twin.references if reference.reused})
        cost: dict[str, object] = {
            "seconds": round(reported - started, 3),
            "stage_seconds": dict(seconds),
            "orchestration": round(reported - started - busy_seconds(twin.references), 3),
            "reused": reused,
        }
        if earlier != (key, summary["digest"]):
            report = {**summary, "request": key, "cost": cost}
            _publish(twin, executor, report, request.output, before=before)
    store.gc(keep_bytes=KEEP_BYTES)
    seconds["report"] = round(time.monotonic() - reported, 3)
    total_s = round(time.monotonic() - started, 3)
    peak_rss_mb = round(peak.rss_bytes / 1e6, 1)
    cost |= {"stage_seconds": seconds, "seconds": total_s}
    return ScanResult(
        folder=request.output,
        digest=str(summary["digest"]),
        scene=scene,
        gates=gates,
        fidelity=None if twin.fidelity is None else executor.load(twin.fidelity),
        quality=None if twin.capture is None else executor.load(twin.capture.checks).quality,
        warnings=tuple(summary["warnings"]),
        fallbacks=tuple(summary["fallbacks"]),
        seconds=total_s,
        stage_seconds=seconds,
        reused=tuple(reused),
        peak_rss_mb=peak_rss_mb,
        summary={"scene": str(request.output), **summary, **cost, "peak_rss_mb": peak_rss_mb},
    )


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
            surface=deferred(frames.surface),
            fragments=deferred(frames.fragments),
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
    calls: list[StageCall[ReconstructedObject | Mesh]] = [FUSE(refined=deferred(aligned))]
    calls += [
        RECONSTRUCT(refined=deferred(aligned), segmentation=deferred(labelled), index=index) for index in largest_first
    ]
    surface, *objects = runner.run_all("fuse, reconstruct", calls)
    by_index = dict(zip(largest_first, cast("list[Reference[ReconstructedObject]]", objects), strict=True))
    in_order = tuple(by_index[index] for index in range(len(sizes)))
    fragments = runner.run(
        FRAGMENTS(
            capture=deferred(capture),
            checks=deferred(checks),
            refined=deferred(aligned),
            segmentation=deferred(labelled),
            objects=deferred_all(in_order),
        )
    )
    return CaptureResults(
        capture=capture,
        checks=checks,
        refined=refined,
        aligned=aligned,
        segmented=segmented,
        named=labelled,
        objects=in_order,
        surface=cast("Reference[Mesh]", surface),
        fragments=fragments,
    )


def _finish(scene: Reference[Scene], frames: CaptureResults | None, runner: StageRunner) -> TwinResults:
    settled = runner.run(SETTLE(scene=deferred(scene)))
    written = runner.run(WRITE(settled=deferred(settled)))
    draw = RENDER(scene=deferred(written))
    measure: list[StageCall[Fidelity]] = []
    if frames is not None:
        aligned, named = deferred(frames.aligned), deferred(frames.named)
        draw = DRAW(refined=aligned, segmentation=named, scene=deferred(written))
        measure = [
            FIDELITY(refined=aligned, segmentation=named, scene=deferred(written), surface=deferred(frames.surface))
        ]
    calls: list[StageCall[GateReport | Path | Fidelity]] = [*measure, GATE(scene=deferred(written)), draw]
    *fidelity, gates, pictures = runner.run_all("fidelity, gate, pictures", calls)
    return TwinResults(
        capture=frames,
        scene=scene,
        settled=settled,
        written=written,
        gates=cast("Reference[GateReport]", gates),
        fidelity=cast("Reference[Fidelity]", fidelity[0]) if fidelity else None,
        pictures=cast("Reference[Path]", pictures),
    )


def _picture_flags(options: ScanOptions) -> list[str]:
    """Return the options that were given although only a capture with pictures can follow them."""
    is_set = {
        "--segmenter": options.segmenter != ScanOptions.segmenter,
        "--names": options.names is not None,
        "--blur-faces": options.blur_faces is not None,
        "--format": options.format is not None,
    }
    return [flag for flag, needs_pictures in is_set.items() if needs_pictures]


def _require_input_fits(source: ScanInput, options: ScanOptions) -> None:
    """Raise `InputError` where options need pictures that an input has not, or lengths are given in two ways."""
    lengths = options.tag_size_m is not None or bool(options.scale_distances)
    layout = options.scale_room is not None
    if source.kind != "capture" and (lengths or layout):
        raise InputError(
            f"a known length for {source.path.name!r}, which has no pictures",
            expected="a capture with frames",
            hint="Leave out --tag-size, --scale-distance and --scale-room.",
        )
    flags = " and ".join(
        flag for flag, value in (("--up", options.up), ("--unit", options.unit)) if source.kind != "mesh" and value
    )
    if flags:
        raise InputError(
            f"{flags} for {source.path.name!r}, which is no finished mesh",
            expected="one of " + ", ".join(MESH_SUFFIXES),
            hint=f"Leave out {flags}: the format of a capture or a room states it.",
        )
    flags = " and ".join(_picture_flags(options))
    if source.kind != "capture" and flags:
        raise InputError(
            f"{flags} for {source.path.name!r}, which has no pictures",
            expected="a capture with frames",
            hint=f"Leave out {flags}.",
        )
    if lengths and layout:
        raise InputError(
            "lengths that were measured and a layout scan",
            expected="one of them",
            hint="A tape is better than a layout scan: leave out --scale-room.",
        )


def request_key(source: ScanInput, options: StageOptions, truth: Path | None) -> str:
    """Return the digest of all that a scan's result follows from, by which a repeated scan knows its own result."""
    parts: dict[str, object] = {"input": [source.kind, source.digest], "code": code_version("sim")}
    parts["truth"] = None if truth is None else file_digest(truth)
    return json_digest(parts | {"options": asdict(options)})


def _publish(
    twin: TwinResults, executor: StageExecutor, report: Mapping[str, object], output: Path, *, before: Contents
) -> None:
    """Put the scene folder in its place; `before` is what lay there when the scan began."""
    with executor.store.scratch_folder() as folder:
        fresh = folder / "scene"
        _fill_scene_folder(twin, executor, report, fresh)
        publish_folder(fresh, output, before=before)


def _fill_scene_folder(twin: TwinResults, executor: StageExecutor, report: Mapping[str, object], folder: Path) -> None:
    """Copy the scene and its pictures into a new folder and write the report beside them."""
    shutil.copytree(executor.folder(twin.written) / "scene", folder)
    pictures = executor.folder(twin.pictures)
    for name in PICTURES:
        shutil.copyfile(pictures / name, folder / name)
    (folder / "report.json").write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    write_report(report, pictures, folder / "report.html")
