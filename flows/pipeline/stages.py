"""The stages of a scan, from the export to the pictures: which values each takes, what it makes, which options count.

This is the one list of stages; their domain code lives in `cousins` and `sim`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cousins.capture.captures import Capture
from cousins.capture.faces import blur_faces
from cousins.capture.ingest import ingest
from cousins.capture.io.capture_folder import load_capture
from cousins.capture.quality.assessment import QualityReport, assess_quality
from cousins.capture.quality.convention_check import ConventionReport, check_camera_convention
from cousins.extras import requires_extra
from cousins.fidelity.measurement import Fidelity, measure_fidelity
from cousins.fusion.plain_surface import plain_surface
from cousins.fusion.pose_refinement import Refined, refine_poses
from cousins.importers.meshes import scene_of_mesh
from cousins.importers.recognition import ScanInput
from cousins.importers.rooms import read_room
from cousins.meshes import Mesh
from cousins.reconstruct.objects import ReconstructedObject, reconstruct_object
from cousins.rooms.wall_scale import check_scale_with_room
from cousins.scale.check import rescale_capture
from cousins.scale.measurement import measured_scale
from cousins.scene.io.paths import safe_name
from cousins.scene.layout.room_scene import room_scene
from cousins.scene.layout.twin import assemble_twin
from cousins.scene.scene_folder import read_scene, write_scene
from cousins.scene.scenes import Scene
from cousins.seeding import OBJECT_RNG, SCALE_RNG, SEGMENT_RNG
from cousins.segment.backend_choice import build_namer, build_segmenter
from cousins.segment.labels import name_segments
from cousins.segment.segments import Segmentation
from flows.execution.stage import Stage, StageContext
from flows.pipeline.scan_options import namer_choice, segmenter_choice
from flows.reporting.pictures import draw_pictures, draw_scene
from sim.validation.fragments import Fragments, find_fragments
from sim.validation.gates import GateReport, run_gates
from sim.validation.settle import SettleResult, settle


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Checks:
    """What is known about a capture before any work."""

    probe: ConventionReport
    """Whether its camera convention holds."""
    quality: QualityReport
    """How good it is, and what to do better."""


def _ingest(context: StageContext, export: ScanInput) -> None:
    ingest(export.path, context.folder / "capture", format=context.options.format)
    if context.options.face_model is not None:
        with requires_extra("vision"):
            from cousins.capture.yunet import YuNet
        blur_faces(context.folder / "capture", YuNet(Path(context.options.face_model)))


def _check_capture(_: StageContext, capture: Capture) -> Checks:
    return Checks(probe=check_camera_convention(capture), quality=assess_quality(capture))


def _refine(context: StageContext, capture: Capture) -> Refined:
    refined = refine_poses(capture)
    measured = measured_scale(
        refined.capture, tag_size_m=context.options.tag_size_m, distances=context.options.scale_distances
    )
    return replace(refined, capture=measured)


def _align_to_layout(context: StageContext, refined: Refined) -> Refined:
    """Return the capture in the metres of a layout scan of the same room."""
    assert context.options.scale_room is not None, "the stage is run for a layout scan"
    check = check_scale_with_room(refined.capture, read_room(Path(context.options.scale_room)), rng=context.rng)
    return replace(refined, capture=rescale_capture(refined.capture, check))


def _segment(context: StageContext, refined: Refined) -> Segmentation:
    segmenter = build_segmenter(segmenter_choice(context.options))
    return segmenter.segment(refined.capture, rng=context.rng)


def _name(context: StageContext, refined: Refined, segmentation: Segmentation) -> Segmentation:
    return name_segments(refined.capture, segmentation, build_namer(namer_choice(context.options)))


def _reconstruct(
    context: StageContext, refined: Refined, segmentation: Segmentation, index: int
) -> ReconstructedObject:
    segment = segmentation.segments[index]
    return reconstruct_object(refined.capture, segmentation, segment, rng=context.rng)


def _fuse(_: StageContext, refined: Refined) -> Mesh:
    return plain_surface(refined.capture.frames)


def _find_fragments(
    _: StageContext,
    capture: Capture,
    checks: Checks,
    refined: Refined,
    segmentation: Segmentation,
    objects: tuple[ReconstructedObject, ...],
) -> Fragments:
    return find_fragments(
        assemble_twin(capture, refined, segmentation, objects, name="draft", quality=checks.quality, draft=True)
    )


def _assemble(
    context: StageContext,
    capture: Capture,
    checks: Checks,
    refined: Refined,
    segmentation: Segmentation,
    objects: tuple[ReconstructedObject, ...],
    surface: Mesh,
    fragments: Fragments,
) -> Scene:
    return assemble_twin(
        capture,
        refined,
        segmentation,
        objects,
        name=context.options.name,
        quality=checks.quality,
        surface=surface,
        fragments=fragments.names,
    )


def _room(context: StageContext, export: ScanInput) -> Scene:
    return room_scene(read_room(export.path), safe_name(context.options.name or "room"), digest=export.digest)


def _mesh(context: StageContext, export: ScanInput) -> Scene:
    options = context.options
    name = safe_name(options.name or "thing")
    return scene_of_mesh(export.path, name, digest=export.digest, up=options.up, unit=options.unit, seed=options.seed)


def _settle(_: StageContext, scene: Scene) -> SettleResult:
    return settle(scene)


def _write(context: StageContext, settled: SettleResult) -> None:
    write_scene(settled.scene, context.folder / "scene")


def _gate(_: StageContext, scene: Scene) -> GateReport:
    return run_gates(scene)


def _measure_fidelity(
    _: StageContext, refined: Refined, segmentation: Segmentation, scene: Scene, surface: Mesh
) -> Fidelity:
    return measure_fidelity(scene, refined.capture, segmentation, surface=surface)


def _draw(context: StageContext, refined: Refined, segmentation: Segmentation, scene: Scene) -> None:
    draw_pictures(refined.capture, segmentation, scene, context.folder)


def _render(context: StageContext, scene: Scene) -> None:
    draw_scene(scene, context.folder)


def _read_capture(folder: Path) -> Capture:
    return load_capture(folder / "capture")


def _read_scene(folder: Path) -> Scene:
    return read_scene(folder / "scene")


def _folder(folder: Path) -> Path:
    return folder


INGEST = Stage(
    name="ingest", top_package="capture", compute=_ingest, read=_read_capture, options=("format", "face_digest")
)
CHECK_CAPTURE = Stage(name="quality", top_package="capture", compute=_check_capture, kind=Checks)
REFINE = Stage(
    name="refine", top_package="fusion", compute=_refine, kind=Refined, options=("tag_size_m", "scale_distances")
)
ALIGN_TO_LAYOUT = Stage(
    name="layout",
    top_package="importers",
    compute=_align_to_layout,
    kind=Refined,
    rng_key=(SCALE_RNG,),
    options=("seed", "scale_room_digest"),
)
SEGMENT = Stage(
    name="segment",
    top_package="segment",
    compute=_segment,
    kind=Segmentation,
    rng_key=(SEGMENT_RNG,),
    options=("seed", "segmenter", "segmenter_digest"),
)
NAME = Stage(name="name", top_package="segment", compute=_name, kind=Segmentation, options=("namer", "namer_digest"))
RECONSTRUCT = Stage(
    name="reconstruct",
    top_package="reconstruct",
    compute=_reconstruct,
    kind=ReconstructedObject,
    rng_key=(OBJECT_RNG,),
    options=("seed",),
)
FUSE = Stage(name="fuse", top_package="fusion", compute=_fuse, kind=Mesh)
FRAGMENTS = Stage(name="fragments", top_package="sim", compute=_find_fragments, kind=Fragments)
ASSEMBLE = Stage(name="assemble", top_package="scene", compute=_assemble, kind=Scene, options=("name",))
MESH = Stage(name="mesh", top_package="importers", compute=_mesh, kind=Scene, options=("seed", "up", "unit", "name"))
ROOM = Stage(name="room", top_package="importers", compute=_room, kind=Scene, options=("name",))
SETTLE = Stage(name="settle", top_package="sim", compute=_settle, kind=SettleResult)
WRITE = Stage(name="write", top_package="scene", compute=_write, read=_read_scene)
GATE = Stage(name="gate", top_package="sim", compute=_gate, kind=GateReport)
FIDELITY = Stage(name="fidelity", top_package="fidelity", compute=_measure_fidelity, kind=Fidelity)
DRAW = Stage(name="pictures", top_package="sim", compute=_draw, read=_folder)
RENDER = Stage(name="portrait", top_package="sim", compute=_render, read=_folder)

SCAN_STAGES: tuple[Stage[..., object], ...] = (
    INGEST,
    CHECK_CAPTURE,
    REFINE,
    SEGMENT,
    RECONSTRUCT,
    FUSE,
    FRAGMENTS,
    ASSEMBLE,
    SETTLE,
    WRITE,
    GATE,
    FIDELITY,
    DRAW,
)
"""Stages of a scan of frames without options, in order: what a progress bar counts."""
STAGES: dict[str, Stage[..., object]] = {
    stage.name: stage for stage in (*SCAN_STAGES, ALIGN_TO_LAYOUT, NAME, ROOM, MESH, RENDER)
}
"""Every stage by name."""
