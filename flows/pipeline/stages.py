"""The stages of a scan, from the export to the pictures: what each makes of what, and which options count."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from cousins.capture.captures import Capture
from cousins.capture.faces import blur_faces
from cousins.capture.ingest import ingest
from cousins.capture.io.capture_folder import capture_digest, load_capture
from cousins.capture.quality.assessment import QualityReport, assess_quality
from cousins.capture.quality.convention_check import ProbeReport, check_camera_convention
from cousins.errors import CaptureError, StageError
from cousins.fusion.pose_refinement import Refined, refine_poses
from cousins.geometry import Array
from cousins.importers.meshes import scene_of_mesh
from cousins.importers.rooms import read_room
from cousins.plugins import load
from cousins.reconstruct.assets import Asset
from cousins.reconstruct.build import build_asset
from cousins.reconstruct.labels import relabelled
from cousins.reconstruct.shape import reconstruct_shape
from cousins.rooms.wall_scale import check_room
from cousins.scale.check import ASSUMED, combined, rescaled
from cousins.scale.distance import check_distances, needs_tags, parse_distance
from cousins.scene.layout.assemble import assemble
from cousins.scene.layout.room_scene import scene_of_room
from cousins.scene.scene_folder import read_scene, write_scene
from cousins.scene.scenes import Scene
from cousins.segment.labels import Namer, named
from cousins.segment.segments import Segmentation, Segmenter
from flows.execution.executor import Desk, Options, Reference, Stage
from flows.extras import needing
from flows.pipeline.backend_choice import EXTRAS, NAMERS
from flows.reporting.pictures import draw_pictures, draw_scene
from sim.validation.gates import GateReport, run_gates
from sim.validation.settle import Settled, settle

SEGMENT_SEED, OBJECT_SEED, SCALE_SEED = 0, 1, 2
"""Places of the stages among the seed's children."""

_NO_METRE = (
    "scale: assumed. Pictures without depth have no metre: all lengths may be half or twice as long. Measure one with "
    "--scale-distance, lay down printed tags (--tag-size), or scan the room too (--scale-room)."
)


@dataclass(frozen=True, kw_only=True)
class Export:
    """What the user handed in."""

    path: Path
    """Folder or zip."""
    digest: str
    """SHA-256 over its files and their names."""
    kind: Literal["capture", "room", "mesh"] = "capture"
    """Posed frames, a layout scan (RoomPlan), or the finished mesh of one thing."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Checks:
    """What is known about a capture before any work."""

    probe: ProbeReport
    """Whether its camera convention holds."""
    quality: QualityReport
    """How good it is, and what to do better."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Built:
    """One object as an asset, or why there is none."""

    name: str
    """Name of the segment."""
    placed: tuple[Asset, Array] | None
    """The asset and its `world_from_asset`; None where it failed."""
    failure: str = ""
    """Why there is no asset."""


def _ingest(desk: Desk, folder: Path, *, export: Export) -> None:
    ingest(export.path, folder / "capture", format=desk.options.format)
    if desk.options.face_model is not None:
        with needing("vision"):
            from cousins.capture.yunet import YuNet
        blur_faces(folder / "capture", YuNet(Path(desk.options.face_model)))


def _inspect(desk: Desk, _: Path, *, capture: Reference) -> Checks:
    read: Capture = desk.read(INGEST, capture)
    return Checks(probe=check_camera_convention(read), quality=assess_quality(read))


def _refine(desk: Desk, _: Path, *, capture: Reference) -> Refined:
    refined = refine_poses(desk.read(INGEST, capture))
    return replace(refined, capture=_measured(refined.capture, desk.options))


def _measured(capture: Capture, options: Options) -> Capture:
    """Return the capture in the metres of its printed tags and of the distances that were typed."""
    distances = [parse_distance(text) for text in options.scale_distances]
    corners: dict[int, Array] = {}
    checks = []
    if options.tag_size_m is not None or needs_tags(distances):
        with needing("vision"):
            from cousins.scale.tags import check_scale, tag_corners
        corners = tag_corners(capture)
        if options.tag_size_m is not None:
            checks.append(check_scale(capture, corners, side_m=options.tag_size_m))
    if distances:
        checks.append(check_distances(capture, distances, tags=corners))
    return rescaled(capture, combined(checks)) if checks else capture


def _lay_over(desk: Desk, _: Path, *, refined: Reference) -> Refined:
    """Put the capture into the metres of a layout scan of the same room."""
    assert desk.options.scale_room is not None, "the stage is carried out for a layout"
    placed: Refined = desk.read(REFINE, refined)
    check = check_room(placed.capture, read_room(Path(desk.options.scale_room)), rng=desk.rng(SCALE_SEED))
    return replace(placed, capture=rescaled(placed.capture, check))


def _segment(desk: Desk, _: Path, *, refined: Reference) -> Segmentation:
    options = desk.options
    backend = load("cousins.segment.backends", options.segmenter, kind="segmenter")
    segmenter: Segmenter = _built(backend, options.segmenter, options.segmenter_weights)
    return segmenter.segment(desk.read(REFINE, refined).capture, rng=desk.rng(SEGMENT_SEED))


def _name(desk: Desk, _: Path, *, refined: Reference, found: Reference) -> Segmentation:
    options = desk.options
    assert options.namer is not None, "the stage is carried out for a namer"
    namer: Namer = _built(load(NAMERS, options.namer, kind="namer"), options.namer, options.namer_weights)
    return named(desk.read(REFINE, refined).capture, desk.read(SEGMENT, found), namer)


def _built(backend: ModuleType, name: str, weights: str | None) -> Any:
    """Return what a back-end builds of its weights; raises `InputError` where its extra is not installed."""
    config = backend.Config() if weights is None else backend.Config(weights=Path(weights))
    with needing(EXTRAS.get(name, "sim")):
        return backend.build(config)


def _reconstruct(desk: Desk, _: Path, *, refined: Reference, found: Reference, index: int) -> Built:
    capture: Capture = desk.read(REFINE, refined).capture
    segmentation: Segmentation = desk.read(SEGMENT, found)
    segment = segmentation.segments[index]
    rng = desk.rng(OBJECT_SEED, index)
    try:
        shape = reconstruct_shape(capture, segmentation, segment)
        placed = build_asset(segment.name, shape, relabelled(segment, shape.mesh), capture, rng=rng)
    except StageError as error:
        return Built(name=segment.name, placed=None, failure=str(error))
    return Built(name=segment.name, placed=placed)


def _assemble(
    desk: Desk,
    _: Path,
    *,
    capture: Reference,
    checks: Reference,
    refined: Reference,
    found: Reference,
    built: tuple[Reference, ...],
) -> Scene:
    refinement: Refined = desk.read(REFINE, refined)
    segmentation: Segmentation = desk.read(SEGMENT, found)
    objects: list[Built] = [desk.read(RECONSTRUCT, part) for part in built]
    checked: Checks = desk.read(INSPECT, checks)
    lost = [f"{one.name} was left out of the twin: {one.failure}" for one in objects if one.placed is None]
    weak = [f"{f.message} {f.fix}" for f in checked.quality.findings if f.severity != "info"]
    original: Capture = desk.read(INGEST, capture)
    if refinement.capture.scale.source.startswith(ASSUMED):
        weak.insert(0, _NO_METRE)
    placed = [one.placed for one in objects if one.placed is not None]
    if not placed and not segmentation.planes:
        raise _nothing_found(original, lost, weak)
    return assemble(
        safe_name(desk.options.name or original.name),
        placed,
        segmentation,
        refinement.capture,
        capture_digest=capture_digest(original),
        warnings=(*weak, *refinement.report.warnings),
        fallbacks=tuple(lost),
    )


def _room(desk: Desk, _: Path, *, export: Export) -> Scene:
    return scene_of_room(read_room(export.path), safe_name(desk.options.name or "room"), digest=export.digest)


def _mesh(desk: Desk, _: Path, *, export: Export) -> Scene:
    name = safe_name(desk.options.name or "thing")
    return scene_of_mesh(export.path, name, digest=export.digest, up=desk.options.up, seed=desk.options.seed)


def _nothing_found(capture: Capture, lost: list[str], weak: list[str]) -> CaptureError:
    """Return the error of a capture that shows nothing to build a twin of."""
    return CaptureError(
        " ".join((f"no floor, table, wall or whole object in {len(capture.frames)} frames.", *lost, *weak)).rstrip("."),
        expected="things that stand on a floor or a table, with some of it around them",
        hint="Film from 0.5 to 1 m, all the way around, so that what the things stand on is in the picture.",
    )


def _settle(desk: Desk, _: Path, *, scene: Reference) -> Settled:
    return settle(desk.read(ASSEMBLE, scene))


def _write(desk: Desk, folder: Path, *, settled: Reference) -> None:
    write_scene(desk.read(SETTLE, settled).scene, folder / "scene")


def _gate(desk: Desk, _: Path, *, written: Reference) -> GateReport:
    return run_gates(desk.read(WRITE, written))


def _draw(desk: Desk, folder: Path, *, refined: Reference, found: Reference, written: Reference) -> None:
    draw_pictures(desk.read(REFINE, refined).capture, desk.read(SEGMENT, found), desk.read(WRITE, written), folder)


def _portray(desk: Desk, folder: Path, *, written: Reference) -> None:
    draw_scene(desk.read(WRITE, written), folder)


def safe_name(text: str) -> str:
    """Return a name that is safe as a path and in a USD file."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[:48] or "scan"


INGEST = Stage(
    name="ingest",
    top="capture",
    work=_ingest,
    read=lambda folder: load_capture(folder / "capture"),
    options=("format", "face_digest"),
)
INSPECT = Stage(name="quality", top="capture", work=_inspect, kind=Checks)
REFINE = Stage(name="refine", top="fusion", work=_refine, kind=Refined, options=("tag_size_m", "scale_distances"))
LAY_OVER = Stage(name="layout", top="scene", work=_lay_over, kind=Refined, options=("seed", "scale_room_digest"))
SEGMENT = Stage(
    name="segment",
    top="segment",
    work=_segment,
    kind=Segmentation,
    options=("seed", "segmenter", "segmenter_digest"),
)
NAME = Stage(name="name", top="segment", work=_name, kind=Segmentation, options=("namer", "namer_digest"))
RECONSTRUCT = Stage(name="reconstruct", top="reconstruct", work=_reconstruct, kind=Built, options=("seed",))
ASSEMBLE = Stage(name="assemble", top="scene", work=_assemble, kind=Scene, options=("name",))
MESH = Stage(name="mesh", top="scene", work=_mesh, kind=Scene, options=("seed", "up", "name"))
ROOM = Stage(name="room", top="scene", work=_room, kind=Scene, options=("name",))
SETTLE = Stage(name="settle", top="sim", work=_settle, kind=Settled)
WRITE = Stage(name="write", top="scene", work=_write, read=lambda folder: read_scene(folder / "scene"))
GATE = Stage(name="gate", top="sim", work=_gate, kind=GateReport)
DRAW = Stage(name="pictures", top="sim", work=_draw)
PORTRAY = Stage(name="portrait", top="sim", work=_portray)

_FRAMES = (INGEST, INSPECT, REFINE, LAY_OVER, SEGMENT, NAME, RECONSTRUCT, ASSEMBLE)
STAGES = {stage.name: stage for stage in (*_FRAMES, ROOM, MESH, SETTLE, WRITE, GATE, DRAW, PORTRAY)}
"""Every stage by name, in order."""
