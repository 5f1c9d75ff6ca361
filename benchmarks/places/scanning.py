"""Scan a recording as `cousins scan` does, and measure what the twin and its peer make of it."""

from __future__ import annotations

import re
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from cousins.capture.captures import Capture
from cousins.errors import CousinsError
from cousins.fidelity.comparison import psnr_db
from cousins.fidelity.measurement import Fidelity, compare_with_capture, total_counts
from cousins.geometry import Array, invert, transform
from cousins.importers.recognition import recognise_input
from cousins.meshes import Mesh, concatenate
from cousins.reconstruct.kinematics import asset_from_links
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.store import Store
from flows.execution.executor import StageExecutor
from flows.execution.memory import watched_memory
from flows.execution.stage import no_progress
from flows.pipeline.run_scan import build_twin, local_runner
from flows.pipeline.scan_options import ScanOptions, resolve_options
from flows.reporting.summary import summary_of
from places.objects import TrueShape, extra_surfaces, hold_points, score_objects, shape_errors
from places.peer import Peer, plain_shapes, plain_twin
from places.place import ROOM_STRUCTURE, Place
from places.recording import Recording, twin_from_truth
from places.structure_areas import FlatSurface, score_structure
from places.visibility import true_shapes, visible_structure
from scenes.objects import sample

FLAT_KINDS: Final = (*ROOM_STRUCTURE, "table")
"""Kinds of structure whose area is measured."""
TRUE_POINTS_PER_M2: Final = 900.0
"""Points that stand for true surfaces when false area is measured [1/m²]."""
NAMED_REACH_M: Final = 0.08
"""A place in a warning belongs to a thing whose nearest point is no farther, in plan [m]."""
PLACE_IN_TEXT: Final = re.compile(r"\(?(-?\d+\.\d+), (-?\d+\.\d+)(?:, (-?\d+\.\d+))?\)? m\b")
"""Coordinates of a warning's subject in the twin's frame, such as `(0.12, -0.30, 0.74) m`."""
UNSURE_OF_UP: Final = re.compile(r"\b(up|gravity)\b.*\b(a guess|unsure|uncertain|may be)\b", re.IGNORECASE)
"""A warning that the direction of gravity may be wrong; one that it was estimated does not count."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scanned:
    """A twin and what it was made from."""

    scene: Scene
    """The twin."""
    capture: Capture
    """The capture with refined poses."""
    fidelity: Fidelity
    """How much of the frames it explains."""
    summary: Mapping[str, Any]
    """What `cousins scan --json` would print."""
    cost: Mapping[str, float | bool]
    """Wall and CPU seconds, the largest memory [MB], and whether stages of an interrupted scan were reused."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlaceTruth:
    """What is true of a filmed scene, as scores need it."""

    shapes: Mapping[str, TrueShape]
    """Objects by name."""
    visible: dict[str, tuple[Array, float]]
    """Points [n, 3] of structure that the frames show, and the area of each [m²], by kind."""
    surface: Array
    """Points of all surfaces [m], [m, 3]."""


def scan(export: Path, stages: Path) -> Scanned:
    """Return the twin of an export; raises `CousinsError`.

    The folder `stages` keeps the result of every stage, so that a scan that was interrupted goes on; its cost is then
    that of the rest.
    """
    began, cpu = time.monotonic(), _cpu_s()
    with watched_memory() as peak:
        store = Store(stages)
        executor = StageExecutor(store=store, options=resolve_options(ScanOptions()), progress=no_progress)
        with store.block_sweeps(), local_runner(executor) as runner:
            twin = build_twin(recognise_input(export), runner, executor)
        assert twin.fidelity is not None, "a capture of frames"
        assert twin.capture is not None, "a capture of frames"
        scene, fidelity = executor.load(twin.written), executor.load(twin.fidelity)
        capture, summary = executor.load(twin.capture.aligned).capture, summary_of(twin, executor)
    cost = {
        "wall_s": round(time.monotonic() - began, 1),
        "cpu_s": round(_cpu_s() - cpu, 1),
        "peak_mb": round(peak.rss_bytes / 1e6, 1),
        "resumed": any(reference.reused for reference in twin.references),
    }
    return Scanned(scene=scene, capture=capture, fidelity=fidelity, summary=summary, cost=cost)


def measure_place(place: Place, recording: Recording, stages: Path) -> tuple[dict[str, Any], Scanned | None]:
    """Return the row of a scene and its twin, None where the scan was refused; `stages` is as for `scan`."""
    head: dict[str, Any] = {
        "kind": place.kind,
        "seed": place.seed,
        "sensor": recording.sensor,
        "gravity_known": recording.gravity_known,
        "frames": len(recording.truth.world_from_camera),
        "notes": list(place.notes),
    }
    camera = recording.depth_camera
    truth = PlaceTruth(
        shapes=true_shapes(place, recording.truth, camera),
        visible={kind: visible_structure(place, recording.truth, camera, kind) for kind in FLAT_KINDS},
        surface=_true_points(place),
    )
    try:
        scanned = scan(recording.export, stages)
    except CousinsError as error:
        objects = score_objects(truth.shapes, [])
        return {**head, "refused": str(error), "objects": objects, "extra": 0, "fixed": 0, "assets": 0}, None
    world = twin_from_truth(scanned.capture, recording.truth)
    truth_from_twin = invert(world)
    meshes = [_placed_mesh(placed).transformed(truth_from_twin) for placed in scanned.scene.objects]
    peer = plain_twin(scanned.capture, world[:3, 2])
    row = {
        **head,
        **_twin_row(scanned, truth.shapes, meshes),
        "structure": score_structure(_flat(scanned.scene, truth_from_twin), truth.visible, truth.surface),
        **_up_row(scanned, world),
        **_named(truth.shapes, [*scanned.summary["warnings"], *scanned.summary["fallbacks"]], truth_from_twin),
        "peer": _peer_row(peer, scanned.capture, recording, truth, truth_from_twin),
    }
    return row, scanned


def _twin_row(scanned: Scanned, shapes: Mapping[str, TrueShape], meshes: Sequence[Mesh]) -> dict[str, Any]:
    fidelity, holding = scanned.fidelity, hold_points(list(shapes.values()), meshes)
    return {
        "objects": score_objects(shapes, meshes),
        "assets": len(meshes),
        "extra": len(extra_surfaces(holding)),
        "fixed": fidelity.fixed_objects,
        "fidelity": {
            "verdict": fidelity.verdict,
            "explained": round(fidelity.explained, 4),
            "phantom": round(fidelity.phantom, 4),
            "remainder": round(fidelity.remainder, 4),
            "color_db": fidelity.color_db,
        },
        "cost": dict(scanned.cost),
        "warnings": list(scanned.summary["warnings"]),
        "fallbacks": list(scanned.summary["fallbacks"]),
    }


def _up_row(scanned: Scanned, world: Array) -> dict[str, Any]:
    """Return the angle between the twin's z axis and the true one [degree], and whether a warning doubts it."""
    error = float(np.rad2deg(np.arccos(np.clip(world[2, 2], -1.0, 1.0))))
    texts = [*scanned.summary["warnings"], *scanned.summary["fallbacks"], *scanned.capture.warnings]
    return {"up_error_deg": round(error, 3), "up_unsure": any(UNSURE_OF_UP.search(text) for text in texts)}


def _named(shapes: Mapping[str, TrueShape], texts: Sequence[str], truth_from_twin: Array) -> dict[str, Any]:
    """Return the names of the thin things at whose place a warning says that something lies there."""
    places = [
        transform(truth_from_twin, np.array([float(x), float(y), float(z or 0.0)]))
        for text in texts
        for x, y, z in PLACE_IN_TEXT.findall(text)
    ]
    names = [
        name
        for name, shape in shapes.items()
        if shape.thin
        and any(np.linalg.norm(shape.surface[:, :2] - place[:2], axis=1).min() <= NAMED_REACH_M for place in places)
    ]
    return {"thin_named": names}


def _peer_row(
    peer: Peer, capture: Capture, recording: Recording, truth: PlaceTruth, truth_from_twin: Array
) -> dict[str, Any]:
    """Return the peer's scores, and those of plain TSDFs with the true masks for the objects that count."""
    meshes = [mesh.transformed(truth_from_twin) for mesh in peer.objects]
    flat = [FlatSurface(kind=item.kind, mesh=item.mesh.transformed(truth_from_twin)) for item in peer.flat]
    objects = score_objects(truth.shapes, meshes)
    plain = plain_shapes(capture, recording.truth)
    perfect = {}
    for row in objects:
        mesh = plain.get(row["object"])
        perfect[row["object"]] = shape_errors(
            truth.shapes[row["object"]], None if mesh is None else mesh.transformed(truth_from_twin)
        )
    counts, squared_error, values = total_counts(compare_with_capture([peer.fused], capture))
    total = max(int(counts[1:].sum()), 1)
    return {
        "objects": objects,
        "extra": len(extra_surfaces(hold_points(list(truth.shapes.values()), meshes))),
        "structure": score_structure(flat, truth.visible, truth.surface),
        "perfect_masks": perfect,
        "fidelity": {
            "explained": round(int(counts[1]) / total, 4),
            "phantom": round(int(counts[3]) / total, 4),
            "color_db": psnr_db(squared_error, values),
        },
    }


def _placed_mesh(placed: PlacedAsset) -> Mesh:
    poses = asset_from_links(placed.asset)
    links = [link.visual.transformed(placed.world_from_asset @ poses[link.name]) for link in placed.asset.links]
    return concatenate(links)


def _flat(scene: Scene, truth_from_twin: Array) -> list[FlatSurface]:
    return [
        FlatSurface(kind=structure.kind, mesh=structure.visual.transformed(truth_from_twin))
        for structure in scene.structures
    ]


def _true_points(place: Place) -> Array:
    meshes = [mesh for _, mesh in place.structures] + [item.mesh for item in place.items.values()]
    rng = np.random.default_rng(0)
    return np.concatenate(
        [sample(mesh, int(max(200, TRUE_POINTS_PER_M2 * mesh.to_trimesh().area)), rng=rng) for mesh in meshes]
    )


def _cpu_s() -> float:
    """Return the CPU time of this process and of its children that have ended [s]."""
    usages = [resource.getrusage(scope) for scope in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
