"""One scene in every format: how far the twins are from that of the canonical capture.

A simulated phone walks around the demo's desk. The capture is written as every app would export it (by the writers
of the readers' law book), read again, and made into a twin up to rest in physics. Compared with the twin of the
canonical capture: how many objects, where they stand, how they are turned, their sizes, and the height of the floor
and tables. Depth of low confidence is unknown in all of them, as half of the formats hold no confidence.

Formats that do not tell the way up get a world of their own: their twins are carried back by the first pose before
they are compared, and how far their way up is off is told as `tilt_deg`. Exports that are read to the same frames,
to the last bit, share one twin (`same_as`): a twin is a function of the frames.

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

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from cousins.capture.captures import Capture  # noqa: E402
from cousins.capture.ingest import ingest  # noqa: E402
from cousins.capture.io.capture_folder import capture_digest  # noqa: E402
from cousins.errors import StageError  # noqa: E402
from cousins.fusion.pose_refinement import refine_poses  # noqa: E402
from cousins.geometry import (  # noqa: E402
    Array,
    invert,
    quat_wxyz_from_rotation,
    rigid,
    rotation_angle_rad,
    rotation_from_quat_wxyz,
)
from cousins.plugins import load  # noqa: E402
from cousins.reconstruct.build import build_asset  # noqa: E402
from cousins.reconstruct.labels import relabelled  # noqa: E402
from cousins.reconstruct.shape import reconstruct_shape  # noqa: E402
from cousins.scene.layout.assemble import assemble  # noqa: E402
from cousins.scene.scenes import Scene  # noqa: E402
from sim.synthetic.demo_scene import demo_world  # noqa: E402
from sim.synthetic.phone import PhoneConfig, record  # noqa: E402
from sim.validation.settle import settle  # noqa: E402
from tests.cousins.capture.exports import EXPORTS  # noqa: E402
from tests.cousins.capture.room import Shot, write_folder  # noqa: E402

SEED = 4
FEW = ("cereal_box", "mug", "book")
"""Things that a quick run leaves on the desk."""
START_S = 5000.0
"""Time of the first frame by the phone's clock [s]."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="three of the things, 30 frames of them")
    arguments.add_argument("--kinds", nargs="*", choices=sorted(EXPORTS), default=sorted(EXPORTS))
    arguments.add_argument("--seed", type=int, default=SEED)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        truth = shots(Path(scratch) / "phone", quick=given.quick, seed=given.seed)
        rows = compare(truth, given.kinds, Path(scratch))
    result = {"quick": given.quick, **summary(rows)}
    print(json.dumps(result) if given.json else "\n".join(f"{k:28} {v}" for k, v in result.items() if k != "by_kind"))


def shots(folder: Path, *, quick: bool, seed: int) -> tuple[Shot, ...]:
    """Return what the phone saw of the demo's desk, with depth of low confidence unknown."""
    world, walk = np.random.SeedSequence(seed).spawn(2)
    phone = PhoneConfig(frames=30 if quick else 40)
    desk = demo_world(np.random.default_rng(world))
    if quick:
        desk = replace(desk, bodies=tuple(body for body in desk.bodies if body.name in FEW))
    capture, _ = record(desk, folder, config=phone, rng=np.random.default_rng(walk))
    made = []
    for frame in capture.frames:
        depth_mm = np.round(np.where(frame.confidence > 0, frame.depth_m, 0.0) * 1000.0).astype(np.uint16)
        made.append(
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
    return tuple(made)


def exactly_rigid(pose: Array) -> Array:
    """Return the pose with a rotation that quaternions and matrices both write without loss."""
    return rigid(rotation_from_quat_wxyz(quat_wxyz_from_rotation(pose[:3, :3])), pose[:3, 3])


def compare(truth: tuple[Shot, ...], kinds: list[str], scratch: Path) -> dict[str, dict[str, Any]]:
    """Return by kind how far its twin is from the canonical one."""
    made: dict[str, tuple[str, Scene]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for kind in ["canonical", *(kind for kind in kinds if kind != "canonical")]:
        capture = ingest(write_folder(EXPORTS[kind][1](truth), scratch / "in" / kind), scratch / "out" / kind)
        if kind == "canonical":
            reference = capture
        frames = frames_digest(capture)
        first, scene = made[frames] if frames in made else (kind, twin(capture))
        made.setdefault(frames, (kind, scene))
        reference_from_other = reference.frames[0].world_from_camera @ invert(capture.frames[0].world_from_camera)
        rows[kind] = {
            "frames": len(capture.frames),
            "same_as": "" if first == kind else first,
            "tilt_deg": float(
                np.rad2deg(np.arctan2(np.hypot(*reference_from_other[:2, 2]), reference_from_other[2, 2]))
            ),
            **difference(made[frames_digest(reference)][1], scene, reference_from_other),
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
    backend = load("cousins.segment.backends", "geometric", kind="segmenter")
    found = backend.build(backend.Config()).segment(refined, rng=np.random.default_rng(0))
    built = []
    for number, segment in enumerate(found.segments):
        rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(1, number)))
        try:
            shape = reconstruct_shape(refined, found, segment)
            built.append(build_asset(segment.name, shape, relabelled(segment, shape.mesh), refined, rng=rng))
        except StageError as error:
            print(f"{segment.name} left out: {error}", file=sys.stderr)
    return settle(assemble("twin", built, found, refined)).scene


def difference(reference: Scene, other: Scene, reference_from_other: Array) -> dict[str, Any]:
    """Return the largest differences over all objects of the reference, each beside the nearest object of the other."""
    poses = [reference_from_other @ one.world_from_asset for one in other.objects]
    position_mm, angle_deg, size_mm = [0.0], [0.0], [0.0]
    for one in reference.objects:
        away = [float(np.linalg.norm(pose[:3, 3] - one.world_from_asset[:3, 3])) for pose in poses]
        nearest = int(np.argmin(away))
        turn = one.world_from_asset[:3, :3].T @ poses[nearest][:3, :3]
        position_mm.append(1e3 * away[nearest])
        angle_deg.append(float(np.rad2deg(rotation_angle_rad(turn))))
        size_mm.append(1e3 * float(np.abs(_size(other.objects[nearest]) - _size(one)).max()))
    heights = {structure.name: structure.visual.vertices for structure in other.structures}
    structure_mm = [0.0]
    for structure in reference.structures:
        if structure.kind != "wall" and structure.name in heights:
            theirs = heights[structure.name] @ reference_from_other[:3, :3].T + reference_from_other[:3, 3]
            ours = structure.visual.vertices
            structure_mm.append(1e3 * abs(float(np.median(theirs[:, 2]) - np.median(ours[:, 2]))))
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
