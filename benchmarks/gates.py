"""Gates over many scenes: simple shapes and Google Scanned Objects, dropped about and stacked, in both engines.

Objects are let go on a table, some on top of others, and what MuJoCo makes of that in five seconds is the truth.
Then every pose is disturbed as a scan would disturb it (σ = 3 mm and 1°), the layout is repaired, settled, and taken
through the gates of both engines. What cannot stand is fixed in place: it is counted as `fixed` and in no other number.
Scenes come from a seed, so that another seed gives other scenes. Scene folders can be named as well; they are taken as
they are.

    python benchmarks/gates.py --quick
    python benchmarks/gates.py --scenes 40 --seed 7 --objects ../shared/data/objects/gso --json
    python benchmarks/gates.py path/to/scene another/scene
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from scipy.spatial import ConvexHull

from cousins.geometry import Array, rigid, rotation_about, transform
from cousins.plugins import load
from cousins.reconstruct.assets import Asset
from cousins.scene.layout.repair import repair
from cousins.scene.scene_folder import read_scene
from cousins.scene.scenes import Placed, Relation, Scene
from sim.physics.motion import moved, touched_below
from sim.physics.simple_assets import box_piece, cylinder_piece, hull_piece, prop, scene_of, slab
from sim.validation.gates import GateReport, run_gates
from sim.validation.settle import settle

DENSITY_KG_M3 = 300.0
NOISE_M, NOISE_RAD = 0.003, np.deg2rad(1.0)
STILL_M = 5e-4
TABLE_M = (1.2, 0.8, 0.04)
TABLE_TOP_M = 0.75
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured scene."""

    scene: str
    objects: int
    report: GateReport
    moved_mm: float
    settle_cpu_s: float
    gates_cpu_s: float


def main() -> None:
    arguments = _parse()
    rows = []
    for scene in _scenes(arguments):
        rows.append(_measure(scene))
        if not arguments.json:
            print(_line(rows[-1]), flush=True)
    for path in arguments.scene:
        rows.append(_gate(read_scene(path), moved_mm=0.0, settle_cpu_s=0.0))
        if not arguments.json:
            print(_line(rows[-1]), flush=True)
    summary = _summary(rows)
    print(json.dumps(summary) if arguments.json else json.dumps(summary, indent=2))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", nargs="*", type=Path, help="scene folders to gate as they are")
    parser.add_argument("--quick", action="store_true", help="four scenes instead of forty")
    parser.add_argument("--scenes", type=int, help="number of generated scenes; default 40, or 0 with scene folders")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[1] / "../shared/data")
    parser.add_argument("--objects", type=Path, help="folder of objects; default DATA/objects/gso")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


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
            chosen = rng.choice(len(folders), size=min(5, len(folders)), replace=False)
            assets = [scanned_object(folders[i]) for i in chosen]
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
    return prop(name, pieces, mass_kg=DENSITY_KG_M3 * volume, friction=0.45, restitution=0.3)


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
    return prop(name, pieces, mass_kg=DENSITY_KG_M3 * volume, friction=0.45, restitution=0.3)


def _lay_out(name: str, assets: Sequence[Asset], rng: np.random.Generator) -> Scene:
    """Return a disturbed rest: what MuJoCo makes of objects let go on the table or on an earlier, wider object."""
    placed: list[Placed] = []
    boxes: list[tuple[Array, Array]] = []
    flat: list[bool] = []
    for asset in assets:
        turn = rigid(rotation_about(UP, rng.uniform(0.0, 2.0 * np.pi)))
        low, high = _box(asset, turn)
        at = _spot(high - low, boxes, flat, rng)
        pose = rigid(turn[:3, :3], at - np.array([*(low + high)[:2] / 2.0, low[2]]))
        boxes.append(_box(asset, pose))
        flat.append(_flat_top(asset, pose))
        placed.append(Placed(asset=asset, world_from_asset=pose))
    structures = [
        slab("floor", friction=0.45),
        slab("table", size_m=TABLE_M, top_m=TABLE_TOP_M, friction=0.45),
    ]
    truth = _at_rest(scene_of(*placed, structures=structures, name=name))
    disturbed = []
    for one in truth.objects:
        turn = rotation_about(rng.normal(size=3), rng.normal(scale=NOISE_RAD))
        pose = rigid(
            turn @ one.world_from_asset[:3, :3], one.world_from_asset[:3, 3] + rng.normal(scale=NOISE_M, size=3)
        )
        disturbed.append(replace(one, world_from_asset=pose))
    return replace(truth, objects=tuple(disturbed))


def _at_rest(scene: Scene) -> Scene:
    """Return the scene after five seconds, lowest objects first, without what fell off the table or still moves."""
    module = load("sim.physics.backends", "mujoco", kind="engine")
    with module.build(module.Config()) as engine:
        engine.load(scene)
        engine.step(round(4.0 / engine.timestep_s))
        before = engine.poses()
        engine.step(round(1.0 / engine.timestep_s))
        poses = engine.poses()
        supports = {name: touched_below(engine, name, 0.001) for name in poses}
    kept = [
        replace(one, world_from_asset=poses[one.asset.name])
        for one in scene.objects
        if poses[one.asset.name][2, 3] > TABLE_TOP_M
        and moved(before[one.asset.name], poses[one.asset.name])[0] < STILL_M
    ]
    kept.sort(key=lambda one: one.world_from_asset[2, 3])
    names = [one.asset.name for one in kept]
    relations = tuple(
        Relation(kind="on", subject=name, object=other)
        for name in names
        for other in supports[name]
        if other == "table" or (other in names and poses[other][2, 3] < poses[name][2, 3])
    )
    return replace(scene, objects=tuple(kept), relations=relations)


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
        taken = any(i != support and _meet(low, high, *boxes[i]) for i in range(len(boxes)))
        if not taken:
            return np.array([*(low + high)[:2] / 2.0, high[2]])
    reach = np.array(TABLE_M[:2]) / 2.0 - size[:2] / 2.0 - 0.02
    for _ in range(2000):
        at = np.array([*rng.uniform(-reach, reach), TABLE_TOP_M])
        low, high = at - np.array([*size[:2] / 2.0, 0.0]) - 0.01, at + np.array([*size[:2] / 2.0, size[2]]) + 0.01
        if not any(_meet(low, high, *box) for box in boxes):
            break
    return at


def _meet(low: Array, high: Array, other_low: Array, other_high: Array) -> bool:
    return bool(np.all(low[:2] < other_high[:2]) and np.all(other_low[:2] < high[:2]))


def _box(asset: Asset, pose: Array) -> tuple[Array, Array]:
    points = np.concatenate([transform(pose, piece.mesh.vertices) for piece in asset.links[0].pieces])
    return points.min(axis=0), points.max(axis=0)


def _measure(scene: Scene) -> Row:
    start = time.process_time()
    repaired, _ = repair(scene)
    settled = settle(repaired)
    return _gate(
        settled.scene,
        moved_mm=max(settled.moved_m.values(), default=0.0) * 1e3,
        settle_cpu_s=time.process_time() - start,
    )


def _gate(scene: Scene, *, moved_mm: float, settle_cpu_s: float) -> Row:
    start = time.process_time()
    report = run_gates(scene)
    return Row(
        scene=scene.name,
        objects=sum(not one.fixed for one in scene.objects),
        report=report,
        moved_mm=moved_mm,
        settle_cpu_s=settle_cpu_s,
        gates_cpu_s=time.process_time() - start,
    )


def _line(row: Row) -> str:
    engines = ", ".join(
        f"{one.engine} {one.max_penetration_mm:.3f} mm deep, {one.max_drift_mm:.2f} mm drift, "
        f"{one.stable_fraction:.3f} stable"
        for one in row.report.engines
    )
    failed = "; ".join(
        f"{one.gate} {one.engine} {one.subject} {one.value:.2f} {one.unit}" for one in row.report.failures
    )
    return (
        f"{row.scene}: settled {row.moved_mm:.1f} mm, fixed {list(row.report.fixed)}; {engines}; agree "
        f"{row.report.agreement_mm:.2f} mm {row.report.agreement_deg:.2f}°; {row.settle_cpu_s:.1f} + "
        f"{row.gates_cpu_s:.1f} CPU-s; {'FAILED ' + failed if failed else 'ok'}"
    )


def _summary(rows: Sequence[Row]) -> dict[str, Any]:
    objects = sum(row.objects for row in rows)
    engines: dict[str, dict[str, float]] = {}
    for row in rows:
        for one in row.report.engines:
            seen = engines.setdefault(one.engine, {"stable": 0.0, "max_penetration_mm": 0.0, "max_drift_mm": 0.0})
            seen["stable"] += one.stable_fraction * row.objects
            seen["max_penetration_mm"] = max(seen["max_penetration_mm"], one.max_penetration_mm)
            seen["max_drift_mm"] = max(seen["max_drift_mm"], one.max_drift_mm)
    return {
        "scenes": len(rows),
        "objects": objects,
        "passed": sum(row.report.passed for row in rows),
        "gates": {
            name: {
                "stable_fraction": round(seen["stable"] / max(objects, 1), 6),
                "max_penetration_mm": round(seen["max_penetration_mm"], 4),
                "max_drift_mm": round(seen["max_drift_mm"], 4),
            }
            for name, seen in engines.items()
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
