"""One scene in every format: how far the twins are from that of the canonical capture.

A simulated phone walks around the demo's desk. The capture is written as every app would export it (by the writers
of the readers' conformance tests), read again, and made into a twin up to rest in physics. Compared with the twin of
the canonical capture: how many objects, where they stand, how they are turned, their sizes, and the height of the floor
and tables. Depth of low confidence is unknown in all of them, as half of the formats hold no confidence.

Formats that do not record gravity have a world frame of their own: their twins are transformed back by the first pose
before they are compared, and the error of their up direction is reported as `tilt_deg`. Exports that are read to the
same frames, to the last bit, share one twin (`same_as`): a twin is a function of the frames.

    python benchmarks/robustness/readers.py [--quick] [--kinds KIND ...] [--seed SEED] [--json]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.capture.captures import Capture
from cousins.capture.ingest import ingest
from cousins.capture.io.capture_folder import capture_digest
from cousins.errors import StageError
from cousins.fusion.pose_refinement import refine_poses
from cousins.geometry import (
    Array,
    invert,
    quat_wxyz_from_rotation,
    rigid,
    rotation_angle_rad,
    rotation_from_quat_wxyz,
)
from cousins.plugins import load_backend
from cousins.reconstruct.build import build_asset
from cousins.reconstruct.labels import relabel_from_mesh
from cousins.reconstruct.shape import reconstruct_shape
from cousins.scene.layout.assemble import assemble
from cousins.scene.scenes import Scene
from program import program_parser, run_program
from rows import Row, at_most, count_of, entry, is_complete
from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import PhoneConfig, record_capture
from sim.validation.settle import settle
from tests.cousins.capture.exports import EXPORTS
from tests.cousins.capture.room import Shot, write_folder

SEED = 4
FEW = ("cereal_box", "mug", "book")
"""Objects that a quick run leaves on the desk."""
START_S = 5000.0
"""Time of the first frame by the phone's clock [s]."""
ROWS = (
    Row(
        quantity="formats whose twins agree with the canonical capture's within 2 mm and 0.2°",
        bar="all",
        value=count_of("agreeing", "kinds"),
        met=is_complete,
    ),
    Row(quantity="objects' places [mm], the worst format", bar="≤ 2.0", value=entry("position_mm"), met=at_most(2.0)),
    Row(quantity="objects' directions [°], the worst format", bar="≤ 0.2", value=entry("angle_deg"), met=at_most(0.2)),
    Row(quantity="objects' sizes [mm], the worst format", bar="≤ 2.0", value=entry("size_mm"), met=at_most(2.0)),
    Row(
        quantity="heights of floor and tables [mm], the worst format",
        bar="≤ 2.0",
        value=entry("structure_mm"),
        met=at_most(2.0),
    ),
    Row(
        quantity="way up, where the format does not tell it [°], the worst format",
        bar="≤ 0.2",
        value=entry("tilt_deg"),
        met=at_most(0.2),
    ),
)


def main() -> None:
    parser = program_parser(__doc__, quick="three of the objects, 30 frames of them", seed=SEED)
    parser.add_argument("--kinds", nargs="*", choices=sorted(EXPORTS), default=sorted(EXPORTS))
    run_program(parser, measure, hidden=("by_kind",))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        truth = shots(Path(scratch) / "phone", quick=arguments.quick, seed=arguments.seed)
        rows = compare(truth, arguments.kinds, Path(scratch))
    return {"quick": arguments.quick, **summary(rows)}


def shots(folder: Path, *, quick: bool, seed: int) -> tuple[Shot, ...]:
    """Return what the phone saw of the demo's desk, with depth of low confidence unknown."""
    world, walk = np.random.SeedSequence(seed).spawn(2)
    phone = PhoneConfig(frames=30 if quick else 40)
    phone_world = demo_world(np.random.default_rng(world))
    if quick:
        phone_world = replace(phone_world, bodies=tuple(body for body in phone_world.bodies if body.name in FEW))
    capture, _ = record_capture(phone_world, folder, config=phone, rng=np.random.default_rng(walk))
    recorded = []
    for frame in capture.frames:
        depth_mm = np.round(np.where(frame.confidence > 0, frame.depth_m, 0.0) * 1000.0).astype(np.uint16)
        recorded.append(
            Shot(
                time_s=START_S + round(frame.timestamp_s, 3),
                world_from_camera=exactly_rigid(frame.world_from_camera),
                depth_mm=depth_mm,
                confidence=np.full(depth_mm.shape, 2, np.uint8),
                color_camera=frame.color_camera
                or frame.depth_camera.scaled(phone.color_width, phone.color_width * 3 // 4),
                jpeg=None if frame.color_path is None else frame.color_path.read_bytes(),
            )
        )
    return tuple(recorded)


def exactly_rigid(pose: Array) -> Array:
    """Return the pose with a rotation that quaternions and matrices both write without loss."""
    return rigid(rotation_from_quat_wxyz(quat_wxyz_from_rotation(pose[:3, :3])), pose[:3, 3])


def compare(truth: tuple[Shot, ...], kinds: list[str], scratch: Path) -> dict[str, dict[str, Any]]:
    """Return by kind how far its twin is from the canonical one."""
    twins: dict[str, tuple[str, Scene]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for kind in ["canonical", *(kind for kind in kinds if kind != "canonical")]:
        capture = ingest(write_folder(EXPORTS[kind][1](truth), scratch / "in" / kind), scratch / "out" / kind)
        if kind == "canonical":
            reference = capture
        frames = frames_digest(capture)
        first, scene = twins[frames] if frames in twins else (kind, twin(capture))
        twins.setdefault(frames, (kind, scene))
        reference_from_other = reference.frames[0].world_from_camera @ invert(capture.frames[0].world_from_camera)
        rows[kind] = {
            "frames": len(capture.frames),
            "same_as": "" if first == kind else first,
            "tilt_deg": float(
                np.rad2deg(np.arctan2(np.hypot(*reference_from_other[:2, 2]), reference_from_other[2, 2]))
            ),
            **difference(twins[frames_digest(reference)][1], scene, reference_from_other),
        }
        print(kind, json.dumps(rows[kind]), file=sys.stderr, flush=True)
    return rows


def frames_digest(capture: Capture) -> str:
    """Return a digest of all that a twin is made of: frames and whether gravity is known, not who recorded it."""
    bare = replace(capture, device="", app="", warnings=(), scale=replace(capture.scale, source="", error=0.0))
    return hashlib.sha256(f"{capture_digest(bare)} {capture.gravity_known}".encode()).hexdigest()


def twin(capture: Capture) -> Scene:
    """Return the twin at rest, as `cousins scan` makes it."""
    refined = refine_poses(capture).capture
    backend = load_backend("cousins.segment.backends", "geometric", kind="segmenter")
    segmentation = backend.build(backend.Config()).segment(refined, rng=np.random.default_rng(0))
    built = []
    for number, segment in enumerate(segmentation.segments):
        rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(1, number)))
        try:
            shape = reconstruct_shape(refined, segmentation, segment)
            built.append(build_asset(segment.name, shape, relabel_from_mesh(segment, shape.mesh), refined, rng=rng))
        except StageError as error:
            print(f"{segment.name} left out: {error}", file=sys.stderr)
    return settle(assemble("twin", built, segmentation, refined)).scene


def difference(reference: Scene, other: Scene, reference_from_other: Array) -> dict[str, Any]:
    """Return the largest differences over all objects of the reference, each beside the nearest object of the other."""
    poses = [reference_from_other @ placed.world_from_asset for placed in other.objects]
    position_mm, angle_deg, size_mm = [0.0], [0.0], [0.0]
    for placed in reference.objects:
        away = [float(np.linalg.norm(pose[:3, 3] - placed.world_from_asset[:3, 3])) for pose in poses]
        nearest = int(np.argmin(away))
        turn = placed.world_from_asset[:3, :3].T @ poses[nearest][:3, :3]
        position_mm.append(1e3 * away[nearest])
        angle_deg.append(float(np.rad2deg(rotation_angle_rad(turn))))
        size_mm.append(1e3 * float(np.abs(_size(other.objects[nearest]) - _size(placed)).max()))
    heights = {structure.name: structure.visual.vertices for structure in other.structures}
    structure_mm = [0.0]
    for structure in reference.structures:
        if structure.kind != "wall" and structure.name in heights:
            other_vertices = heights[structure.name] @ reference_from_other[:3, :3].T + reference_from_other[:3, 3]
            reference_vertices = structure.visual.vertices
            structure_mm.append(1e3 * abs(float(np.median(other_vertices[:, 2]) - np.median(reference_vertices[:, 2]))))
    return {
        "objects": len(other.objects),
        "objects_wanted": len(reference.objects),
        "structures": len(other.structures),
        "structures_wanted": len(reference.structures),
        "position_mm": max(position_mm),
        "angle_deg": max(angle_deg),
        "size_mm": max(size_mm),
        "structure_mm": max(structure_mm),
    }


def _size(placed: Any) -> Array:
    vertices = np.concatenate([link.visual.vertices for link in placed.asset.links])
    return np.asarray(np.ptp(vertices, axis=0))


def summary(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the largest differences over all kinds, and every kind's row."""
    worst = {
        key: round(max(row[key] for row in rows.values()), 4)
        for key in ("position_mm", "angle_deg", "size_mm", "structure_mm", "tilt_deg")
    }
    agreeing = sum(
        row["objects"] == row["objects_wanted"]
        and max(row["position_mm"], row["size_mm"], row["structure_mm"]) <= 2.0
        and row["angle_deg"] <= 0.2
        for row in rows.values()
    )
    return {"kinds": len(rows), "agreeing": agreeing, **worst, "by_kind": rows}


if __name__ == "__main__":
    main()
