"""Gates over many scenes: simple shapes and Google Scanned Objects, dropped about and stacked, in both engines.

Objects are let go on a table, some on top of others, and what MuJoCo makes of that in five seconds is the truth.
Then every pose is disturbed as a scan would disturb it (σ = 3 mm and 1°), the layout is repaired, settled, and taken
through the gates of both engines. What cannot stand is fixed in place: it counts as `fixed`, and as not stable.
Scenes come from a seed, so that another seed gives other scenes. Scene folders can be named as well; they are taken as
they are.

    python benchmarks/gates.py --quick
    python benchmarks/gates.py --scenes 40 --seed 7 --objects ../shared/data/objects/gso --json
    python benchmarks/gates.py path/to/scene another/scene
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from scipy.spatial import ConvexHull

from cousins.geometry import Array, rigid, rotation_about, transform
from cousins.plugins import load_backend
from cousins.reconstruct.assets import Asset
from cousins.scene.layout.repair import repair
from cousins.scene.scene_folder import read_scene
from cousins.scene.scenes import PlacedAsset, Relation, Scene
from program import DATA, program_parser, run_program
from rows import Row, at_least, count_of
from sim.physics.motion import find_supports, pose_distance
from sim.physics.simple_assets import box_piece, cylinder_piece, hull_piece, make_scene, rigid_asset, slab
from sim.validation.gates import GateReport, run_gates
from sim.validation.settle import settle

DENSITY_KG_M3 = 300.0
NOISE_M, NOISE_RAD = 0.003, np.deg2rad(1.0)
STILL_M = 5e-4
TABLE_M = (1.2, 0.8, 0.04)
TABLE_TOP_M = 0.75
UP = np.array([0.0, 0.0, 1.0])
ROWS = (
    Row(quantity="generated layouts that pass every gate", value=count_of("passed", "scenes")),
    Row(
        quantity="stable objects in them, the worse engine",
        bar="≥ 0.998",
        value=lambda result: min(engine["stable_fraction"] for engine in result["gates"].values()),
        met=at_least(0.998),
    ),
)


@dataclass(frozen=True, kw_only=True)
class SceneGates:
    """Gate results of one scene."""

    scene: str
    objects: int
    report: GateReport
    moved_mm: float
    settle_cpu_s: float
    gates_cpu_s: float


def main() -> None:
    parser = program_parser(__doc__, quick="four scenes instead of forty", data=DATA, seed=0)
    parser.add_argument("scene", nargs="*", type=Path, help="scene folders to gate as they are")
    parser.add_argument("--scenes", type=int, help="number of generated scenes; default 40, or 0 with scene folders")
    parser.add_argument("--objects", type=Path, help="folder of objects; default DATA/objects/gso")
    run_program(parser, measure)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    rows = []
    for scene in _scenes(arguments):
        rows.append(_measure(scene))
        if not arguments.json:
            print(_line(rows[-1]), flush=True)
    for path in arguments.scene:
        rows.append(_gate(read_scene(path), moved_mm=0.0, settle_cpu_s=0.0))
        if not arguments.json:
            print(_line(rows[-1]), flush=True)
    return _summary(rows)


def _scenes(arguments: argparse.Namespace) -> list[Scene]:
    count = arguments.scenes
    if count is None:
        count = 0 if arguments.scene else 4 if arguments.quick else 40
    folder = arguments.objects or arguments.data / "objects/gso"
    folders = sorted(path for path in folder.iterdir() if (path / "model_collision_0.obj").exists())
    scenes = []
    for index in range(count):
        rng = np.random.default_rng(np.random.SeedSequence(arguments.seed, spawn_key=(index,)))
        scanned = bool(folders) and index % 2 == 1
        if scanned:
            picked = rng.choice(len(folders), size=min(5, len(folders)), replace=False)
            assets = [scanned_object(folders[i]) for i in picked]
        else:
            assets = [shape(f"shape_{i}", rng) for i in range(6)]
        scenes.append(_lay_out(f"{'objects' if scanned else 'shapes'}_{index:03d}", assets, rng))
    return scenes


def shape(name: str, rng: np.random.Generator) -> Asset:
    """Return a box, a hull of a box, a cylinder or a tray of household size."""
    kind = rng.choice(["box", "hull", "cylinder", "tray"])
    size = rng.uniform([0.05, 0.05, 0.03], [0.16, 0.16, 0.15])
    if kind == "cylinder":
        pieces = [cylinder_piece(size[0] / 2.0, size[2])]
    elif kind == "tray":
        pieces = _tray(size)
    else:
        pieces = [box_piece(size)]
        if kind == "hull":
            pieces = [hull_piece(pieces[0].mesh.vertices)]
    volume = sum(piece.mesh.to_trimesh().volume for piece in pieces)
    return rigid_asset(name, pieces, mass_kg=DENSITY_KG_M3 * volume, friction=0.45, restitution=0.3)


def _tray(size: Array) -> list[Any]:
    wall = 0.008
    x, y, z = size
    return [
        box_piece([x, y, wall], center_m=(0.0, 0.0, (wall - z) / 2.0)),
        *[box_piece([wall, y, z], center_m=(side * (x - wall) / 2.0, 0.0, 0.0)) for side in (-1, 1)],
        *[box_piece([x, wall, z], center_m=(0.0, side * (y - wall) / 2.0, 0.0)) for side in (-1, 1)],
    ]


def scanned_object(folder: Path) -> Asset:
    """Return an object of its published collision pieces, centred on its box."""
    paths = sorted(folder.glob("model_collision_*.obj"))
    parts = [np.asarray(trimesh.load(path, process=False, force="mesh").vertices) for path in paths]
    everything = np.concatenate(parts)
    middle = (everything.min(axis=0) + everything.max(axis=0)) / 2.0
    pieces = [hull_piece(part - middle) for part in parts]
    volume = sum(piece.mesh.to_trimesh().volume for piece in pieces)
    name = "".join(letter if letter.isalnum() else "_" for letter in folder.name)[:40]
    return rigid_asset(name, pieces, mass_kg=DENSITY_KG_M3 * volume, friction=0.45, restitution=0.3)


def _lay_out(name: str, assets: Sequence[Asset], rng: np.random.Generator) -> Scene:
    """Return a disturbed rest: what MuJoCo makes of objects let go on the table or on an earlier, wider object."""
    placed: list[PlacedAsset] = []
    boxes: list[tuple[Array, Array]] = []
    flat: list[bool] = []
    for asset in assets:
        turn = rigid(rotation_about(UP, rng.uniform(0.0, 2.0 * np.pi)))
        low, high = _box(asset, turn)
        position = _spot(high - low, boxes, flat, rng)
        pose = rigid(turn[:3, :3], position - np.array([*(low + high)[:2] / 2.0, low[2]]))
        boxes.append(_box(asset, pose))
        flat.append(_flat_top(asset, pose))
        placed.append(PlacedAsset(asset=asset, world_from_asset=pose))
    structures = [
        slab("floor", friction=0.45),
        slab("table", size_m=TABLE_M, top_m=TABLE_TOP_M, friction=0.45),
    ]
    truth = _at_rest(make_scene(*placed, structures=structures, name=name))
    disturbed = []
    for resting in truth.objects:
        turn = rotation_about(rng.normal(size=3), rng.normal(scale=NOISE_RAD))
        pose = rigid(
            turn @ resting.world_from_asset[:3, :3], resting.world_from_asset[:3, 3] + rng.normal(scale=NOISE_M, size=3)
        )
        disturbed.append(replace(resting, world_from_asset=pose))
    return replace(truth, objects=tuple(disturbed))


def _at_rest(scene: Scene) -> Scene:
    """Return the scene after five seconds, lowest objects first, without what fell off the table or still moves."""
    module = load_backend("sim.physics.backends", "mujoco", kind="engine")
    with module.build(module.Config()) as engine:
        engine.load(scene)
        engine.step(round(4.0 / engine.timestep_s))
        before = engine.poses()
        engine.step(round(1.0 / engine.timestep_s))
        poses = engine.poses()
        supports = {name: find_supports(engine, name, 0.001) for name in poses}
    resting = [
        replace(candidate, world_from_asset=poses[candidate.asset.name])
        for candidate in scene.objects
        if poses[candidate.asset.name][2, 3] > TABLE_TOP_M
        and pose_distance(before[candidate.asset.name], poses[candidate.asset.name])[0] < STILL_M
    ]
    resting.sort(key=lambda placed: placed.world_from_asset[2, 3])
    names = [candidate.asset.name for candidate in resting]
    relations = tuple(
        Relation(kind="on", subject=name, object=other)
        for name in names
        for other in supports[name]
        if other == "table" or (other in names and poses[other][2, 3] < poses[name][2, 3])
    )
    return replace(scene, objects=tuple(resting), relations=relations)


def _flat_top(asset: Asset, pose: Array) -> bool:
    """Return whether the tops of the pieces cover most of the box seen from above: not a tray's rims, not a handle."""
    low, high = _box(asset, pose)
    covered = 0.0
    for piece in asset.links[0].pieces:
        points = transform(pose, piece.mesh.vertices)
        top = points[points[:, 2] > high[2] - 0.002, :2]
        if len(top) >= 3 and np.linalg.matrix_rank(top - top[0], tol=1e-4) == 2:
            covered += float(ConvexHull(top).volume)
    return covered > 0.5 * float(np.prod((high - low)[:2]))


def _spot(size: Array, boxes: list[tuple[Array, Array]], flat: list[bool], rng: np.random.Generator) -> Array:
    wider = [i for i, (low, high) in enumerate(boxes) if flat[i] and np.all((high - low)[:2] > 0.9 * size[:2])]
    if wider and rng.random() < 0.4:
        support = int(rng.choice(wider))
        low, high = boxes[support]
        is_occupied = any(i != support and _meet(low, high, *boxes[i]) for i in range(len(boxes)))
        if not is_occupied:
            return np.array([*(low + high)[:2] / 2.0, high[2]])
    reach = np.array(TABLE_M[:2]) / 2.0 - size[:2] / 2.0 - 0.02
    for _ in range(2000):
        position = np.array([*rng.uniform(-reach, reach), TABLE_TOP_M])
        low, high = (
            position - np.array([*size[:2] / 2.0, 0.0]) - 0.01,
            position + np.array([*size[:2] / 2.0, size[2]]) + 0.01,
        )
        if not any(_meet(low, high, *box) for box in boxes):
            break
    return position


def _meet(low: Array, high: Array, other_low: Array, other_high: Array) -> bool:
    return bool(np.all(low[:2] < other_high[:2]) and np.all(other_low[:2] < high[:2]))


def _box(asset: Asset, pose: Array) -> tuple[Array, Array]:
    points = np.concatenate([transform(pose, piece.mesh.vertices) for piece in asset.links[0].pieces])
    return points.min(axis=0), points.max(axis=0)


def _measure(scene: Scene) -> SceneGates:
    start = time.process_time()
    repaired, _ = repair(scene)
    settled = settle(repaired)
    return _gate(
        settled.scene,
        moved_mm=max(settled.moved_m.values(), default=0.0) * 1e3,
        settle_cpu_s=time.process_time() - start,
    )


def _gate(scene: Scene, *, moved_mm: float, settle_cpu_s: float) -> SceneGates:
    start = time.process_time()
    report = run_gates(scene)
    return SceneGates(
        scene=scene.name,
        objects=len(scene.objects),
        report=report,
        moved_mm=moved_mm,
        settle_cpu_s=settle_cpu_s,
        gates_cpu_s=time.process_time() - start,
    )


def _line(row: SceneGates) -> str:
    engines = ", ".join(
        f"{engine.engine} {engine.max_penetration_mm:.3f} mm deep, {engine.max_drift_mm:.2f} mm drift, "
        f"{engine.stable_fraction:.3f} stable"
        for engine in row.report.engines
    )
    failed = "; ".join(
        f"{gate.gate} {gate.engine} {gate.subject} {gate.value:.2f} {gate.unit}" for gate in row.report.failures
    )
    return (
        f"{row.scene}: settled {row.moved_mm:.1f} mm, fixed {list(row.report.fixed)}; {engines}; agree "
        f"{row.report.agreement_mm:.2f} mm {row.report.agreement_deg:.2f}°; {row.settle_cpu_s:.1f} + "
        f"{row.gates_cpu_s:.1f} CPU-s; {'FAILED ' + failed if failed else 'ok'}"
    )


def _summary(rows: Sequence[SceneGates]) -> dict[str, Any]:
    objects = sum(row.objects for row in rows)
    engines: dict[str, dict[str, float]] = {}
    for row in rows:
        for engine_report in row.report.engines:
            totals = engines.setdefault(
                engine_report.engine, {"stable": 0.0, "max_penetration_mm": 0.0, "max_drift_mm": 0.0}
            )
            totals["stable"] += engine_report.stable_fraction * row.objects
            totals["max_penetration_mm"] = max(totals["max_penetration_mm"], engine_report.max_penetration_mm)
            totals["max_drift_mm"] = max(totals["max_drift_mm"], engine_report.max_drift_mm)
    return {
        "scenes": len(rows),
        "objects": objects,
        "passed": sum(row.report.passed for row in rows),
        "gates": {
            name: {
                "stable_fraction": round(totals["stable"] / max(objects, 1), 6),
                "max_penetration_mm": round(totals["max_penetration_mm"], 4),
                "max_drift_mm": round(totals["max_drift_mm"], 4),
            }
            for name, totals in engines.items()
        },
        "agreement": {
            "max_mm": round(max((row.report.agreement_mm or 0.0 for row in rows), default=0.0), 4),
            "max_deg": round(max((row.report.agreement_deg or 0.0 for row in rows), default=0.0), 4),
        },
        "fixed": sum(len(row.report.fixed) for row in rows),
        "settle_cpu_s": round(sum(row.settle_cpu_s for row in rows), 2),
        "gates_cpu_s": round(sum(row.gates_cpu_s for row in rows), 2),
    }


if __name__ == "__main__":
    main()
