"""Planted causes: six kinds of change, each in packs that differ by chance, and whether a suite finds and names them.

A kind changes three of six cousins, or the policy. It is found where the suite's verdict is `regressed`. A change of
cousins is named where the search for the cause names its axis and object and nothing else. A change of the policy is no
axis of a cousin: it is named where the run reports the policy, and nothing else, as what changed since the baseline,
which follows from digests; no search is made.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from cousins.affordances import measure_affordances
from cousins.pack.packs import open_folder
from cousins.pack.twins import twin_cousin
from cousins.pack.writer import write_pack
from cousins.reconstruct.assets import Asset
from cousins.regress.baselines import Baseline
from cousins.regress.result_store import ResultStore
from cousins.regress.suite_results import cousin_rows
from cousins.regress.suites import GoldenSpec, read_suite
from cousins.scene.layout.relations import find_relations
from cousins.scene.scenes import Scene
from cousins.vary.cousins import Cousin, GoalSpec, Library, Variant
from sim.physics.simple_assets import box_piece, exact_quantity, make_scene, place, rigid_asset, slab
from sim.regress.acceptance import accept_suite
from sim.regress.causes import find_cause
from sim.regress.suite_plans import plan_suite
from sim.regress.suite_runs import run_suite
from tests.sim.regress.suites_for_tests import META

TODAY: Final = datetime.date(2026, 12, 1)
TOP_M: Final = 0.7
CHANGED: Final = (1, 3, 5)
"""Cousins that a change of the pack touches."""
POLICIES: Final = Path(__file__).with_name("policies") / "push.py"
SLICK: Final = 0.0012
"""Friction of the table on which what is pushed slides on."""
PLATE_M: Final = 0.004
"""Height of the lower of two collision pieces [m]: a stick passes over it."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of change."""

    name: str
    """What it is."""
    policy: str
    """Function of the accepted policy."""
    planted_policy: str = ""
    """Function of the changed policy; empty where the cousins change."""
    goal_radius_m: float = 0.05
    """Radius of the goals [m]."""
    goal_x_m: float = 0.15
    """Position of the goals along x [m]."""
    table_friction: float = 0.5
    """Friction of the table."""
    change: Callable[[Cousin], Cousin] = lambda cousin: cousin
    """Changes a cousin."""
    loses_piece: bool = False
    """Whether the variant of the changed cousins loses a collision piece."""
    expected: tuple[tuple[str, str], ...] = ()
    """Axis and object to be named; none where the policy is."""


def _halved_friction(cousin: Cousin) -> Cousin:
    box = cousin.objects[0]
    return replace(cousin, objects=(replace(box, friction=0.5 * box.friction),))


def _flat(cousin: Cousin) -> Cousin:
    """Show the flat variant, which stands lower."""
    box = cousin.objects[0]
    x, y, _ = box.position_m
    flat = replace(box, variant="box-shape-flat", position_m=(x, y, TOP_M + 0.5 * PLATE_M + 1e-5))
    return replace(cousin, objects=(flat,))


def _strict(cousin: Cousin) -> Cousin:
    return replace(cousin, task=replace(cousin.task, goal_radius_m=0.008))


KINDS: Final = (
    Kind(
        name="friction of one family halved",
        policy="shove",
        goal_radius_m=0.045,
        goal_x_m=0.28,
        table_friction=SLICK,
        change=_halved_friction,
        expected=(("dynamics", "box"),),
    ),
    Kind(name="one collision piece lost", policy="act", loses_piece=True, expected=(("shape", "box"),)),
    Kind(name="gain off by 20 %", policy="slow", planted_policy="slow_weak"),
    Kind(name="one far shape", policy="act", change=_flat, expected=(("shape", "box"),)),
    Kind(name="camera off by 2 cm", policy="act", planted_policy="shifted", goal_radius_m=0.025),
    Kind(name="threshold of success changed", policy="act", change=_strict, expected=(("task", ""),)),
)


def planted_causes(scratch: Path, *, repeats: int, seed: int, rows_path: Path) -> dict[str, Any]:
    """Return by kind how many repeats were found and named, and what the search for each cause cost.

    Each finished repeat is a line of `rows_path`, and those that are there are not run again.
    """
    rows = [json.loads(line) for line in rows_path.read_text().splitlines()] if rows_path.exists() else []
    done = len(rows)
    for number in range(repeats):
        for kind in KINDS:
            if number * len(KINDS) + KINDS.index(kind) < done:
                continue
            row = _planted(scratch / f"{KINDS.index(kind)}_{number}", kind, np.random.default_rng([seed, number]))
            print(f"planted {number}: {row}", file=sys.stderr, flush=True)
            rows.append(row)
            with rows_path.open("a") as lines:
                lines.write(json.dumps(row) + "\n")
    searched = [row for row in rows if row["found"] and row["parts"]]
    return {
        "planted": len(rows),
        "found": sum(row["found"] for row in rows),
        "named": sum(row["named"] for row in rows),
        "kinds_named": sum(any(row["named"] for row in rows if row["kind"] == kind.name) for kind in KINDS),
        "kinds": {kind.name: _count(rows, kind.name) for kind in KINDS},
        "differences": float(np.median([row["parts"] for row in searched])) if searched else None,
        "differences_before": float(np.median([row["differences"] for row in searched])) if searched else None,
        "search_cpu_s": float(np.median([row["cpu_s"] for row in searched])) if searched else None,
    }


def _count(rows: list[dict[str, Any]], kind: str) -> dict[str, int]:
    chosen_rows = [row for row in rows if row["kind"] == kind]
    return {name: sum(row[name] for row in chosen_rows) for name in ("found", "named")} | {"n": len(chosen_rows)}


def _planted(folder: Path, kind: Kind, rng: np.random.Generator) -> dict[str, Any]:
    library = _library(kind)
    cousins = [_cousin(library, kind, index, rng) for index in range(7)]
    before, after = folder / "before", folder / "after"
    for place_of_suite in (before, after):
        place_of_suite.mkdir(parents=True)
    write_pack(before / "pack", library, cousins, meta=META, rejections={})
    changed = [kind.change(item) if item.index in CHANGED else item for item in cousins]
    write_pack(after / "pack", _library(kind, loses_piece=kind.loses_piece), changed, meta=META, rejections={})
    _write_suite(before, kind.policy)
    _write_suite(after, kind.planted_policy or kind.policy)
    store = ResultStore(folder / "store")
    accepted = accept_suite(plan_suite(_suite(before)), store=store).baseline
    return {"kind": kind.name, **_found_and_named(_suite(after), accepted, store, kind)}


def _found_and_named(suite: Any, accepted: Baseline, store: ResultStore, kind: Kind) -> dict[str, Any]:
    plan = plan_suite(suite)
    done = run_suite(plan, baseline=accepted, store=store, today=TODAY)
    verdict, evidence, before = done.verdicts[0], done.evidence["push-mujoco"], accepted.tests["push-mujoco"].outcomes
    row = {
        "found": verdict.state == "regressed",
        "losses": verdict.counts.losses,
        "accepted": sum(item.success for item in before.values()),
        "changed": list(verdict.changed),
    }
    if not row["found"]:
        return row | {"named": False, "parts": 0, "differences": 0, "cpu_s": 0.0}
    if not kind.expected:
        return row | {"named": list(verdict.changed) == ["policy"], "parts": 0, "differences": 0, "cpu_s": 0.0}
    worst = cousin_rows(evidence, before)[0].cousin
    lost = [
        pair[1]
        for pair, item in sorted(evidence.outcomes.items())
        if pair[0] == worst and before[pair].success and not item.success
    ]
    cause = find_cause(plan.tests[0], open_folder(suite.folder / "pack"), worst, lost)
    names = [(part.axis, part.object) for part in cause.parts]
    return row | {
        "named": names == list(kind.expected),
        "axes": names,
        "amount": cause.amount,
        "parts": len(names),
        "differences": cause.differences,
        "cpu_s": round(cause.cpu_s, 1),
    }


def _suite(folder: Path) -> Any:
    return replace(read_suite(folder / "suite.toml"), golden=GoldenSpec(count=0))


def _write_suite(folder: Path, function: str) -> None:
    (folder / "policy.py").write_text(POLICIES.read_text())
    (folder / "suite.toml").write_text(
        'name = "planted"\npack = "pack"\ntasks = ["push"]\nepisodes = 36\n'
        f'[policy]\npath = "policy.py:{function}"\n[cousins]\nsplit = "train"\ncount = 6\n[golden]\ncount = 0\n'
    )


def _box(name: str, size_m: tuple[float, float, float], *, loses_piece: bool = False) -> Asset:
    """Return a box of two pieces, a plate below and a block above; with `loses_piece` the plate alone."""
    x, y, z = size_m
    plate = box_piece((x, y, PLATE_M), center_m=(0.0, 0.0, 0.5 * (PLATE_M - z)))
    pieces = [plate]
    if not loses_piece and z > PLATE_M:
        pieces.append(box_piece((x, y, z - PLATE_M), center_m=(0.0, 0.0, 0.5 * PLATE_M)))
    asset = rigid_asset(name, [box_piece(size_m)], mass_kg=0.12)
    link = replace(asset.links[0], pieces=tuple(pieces))
    return replace(asset, links=(link,))


def _library(kind: Kind, *, loses_piece: bool = False) -> Library:
    """Return a box on a table, one of another length for the changed cousins, and a flat one."""
    box = _box("box", (0.06, 0.06, 0.06))
    friction = exact_quantity(kind.table_friction)
    table = replace(slab("table", size_m=(1.0, 1.0, 0.05), top_m=TOP_M), friction=friction)
    scene: Scene = make_scene(place(box, 0.0, 0.0, TOP_M + 0.03 + 1e-5), structures=(table,), name="planted")
    scene = replace(scene, relations=find_relations(scene))
    assets = {
        "box": box,
        "box-shape-00": _box("box-shape-00", (0.066, 0.06, 0.06), loses_piece=loses_piece),
        "box-shape-flat": _box("box-shape-flat", (0.07, 0.07, PLATE_M)),
    }
    variants = {
        key: Variant(
            key=key,
            twin_object="box",
            kind="twin" if key == "box" else "shape",
            asset=asset,
            signature=measure_affordances(asset),
            origin="scan",
            shape_distance=0.0 if key == "box" else 0.3,
        )
        for key, asset in assets.items()
    }
    return Library(scene=scene, variants=variants)


def _cousin(library: Library, kind: Kind, index: int, rng: np.random.Generator) -> Cousin:
    """Return the twin with its task, or a cousin whose box lies elsewhere and has another mass, shape and goal."""
    task = GoalSpec(
        target="box",
        goal_m=(kind.goal_x_m, 0.0, TOP_M),
        goal_radius_m=kind.goal_radius_m,
        robot_base_m=(-0.45, 0.0, TOP_M),
        robot_yaw_rad=0.0,
    )
    twin = replace(twin_cousin(library), task=task)
    if index == 0:
        return twin
    shift, goal_shift = rng.uniform(-0.03, 0.03, 2), rng.uniform(-0.01, 0.01, 2)
    box = twin.objects[0]
    x, y, z = box.position_m
    moved = replace(
        box,
        position_m=(x + float(shift[0]), y + float(shift[1]), z),
        variant="box-shape-00" if index in CHANGED else "box",
        mass_kg=(box.mass_kg[0] * float(rng.uniform(0.8, 1.25)),),
    )
    goal_m = (kind.goal_x_m + float(goal_shift[0]), float(goal_shift[1]), TOP_M)
    return replace(
        twin,
        index=index,
        split="train",
        objects=(moved,),
        task=replace(task, goal_m=goal_m),
        spawn_key=(index,),
    )
