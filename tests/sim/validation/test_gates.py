"""Each gate passes on a sound scene and fails on one that is made to break it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from cousins.codec import decode, encode
from cousins.geometry import rigid, rotation_about
from cousins.plugins import load_backend
from cousins.reconstruct.assets import Asset, Joint, Piece
from cousins.scene.scenes import Scene
from sim.physics.engine import Engine
from sim.physics.simple_assets import (
    articulated_asset,
    box_piece,
    hull_piece,
    make_link,
    make_scene,
    place,
    rigid_asset,
    slab,
    sphere_piece,
)
from sim.validation.gates import GateConfig, GateReport, run_gates
from sim.validation.probes import DropConfig, drop_assets, probe_cavity, sweep_joints
from sim.validation.stability import StabilityConfig

SHORT = GateConfig(stability=StabilityConfig(escape_s=4.0))


def box(name: str = "box", size: float = 0.1, **values: float) -> Asset:
    return rigid_asset(name, [box_piece([size, size, size])], **values)


def engine_named(name: str) -> Engine:
    module = load_backend("sim.physics.backends", name, kind="engine")
    return module.build(module.Config())


def failed(report: GateReport) -> set[str]:
    return {result.gate for result in report.failures}


def gated(scene: Scene, *, seconds: float = 4.0) -> GateReport:
    return run_gates(scene, config=replace(SHORT, stability=StabilityConfig(escape_s=seconds)))


def test_a_sound_scene_passes_every_gate_with_measured_values() -> None:
    report = run_gates(make_scene(place(box("low"), 0.0, 0.0, 0.05), place(box("high", 0.06), 0.0, 0.0, 0.13)))
    assert report.passed
    values = report.to_json()
    assert json.loads(json.dumps(values)) == values
    assert set(values["gates"]) == {"pybullet", "mujoco"}
    for gates in values["gates"].values():
        assert gates["max_penetration_mm"] < 0.01
        assert gates["stable_fraction"] == 1.0
        assert gates["max_drift_mm"] < 0.5
        assert 4.0 <= gates["simulated_s"] <= 30.0
    assert values["agreement"]["max_mm"] < 0.5
    assert values["agreement"]["max_deg"] < 0.5
    gates_seen = {result["gate"] for result in values["results"]}
    assert gates_seen == {
        "penetration",
        "settle",
        "drift",
        "escape",
        "drop rest",
        "drop bounce",
        "drop penetration",
        "agreement",
    }


def test_an_overlap_at_the_start_fails_the_penetration_gate_of_both_objects() -> None:
    report = gated(make_scene(place(box("left"), 0.0, 0.0, 0.05), place(box("right"), 0.097, 0.0, 0.05)))
    assert {(result.engine, result.subject) for result in report.failures if result.gate == "penetration"} == {
        (engine, name) for engine in ("pybullet", "mujoco") for name in ("left", "right")
    }
    assert [result.max_penetration_mm for result in report.engines] == pytest.approx([3.0, 3.0], abs=0.05)


def test_an_overlap_of_a_tenth_of_a_millimetre_passes() -> None:
    report = gated(make_scene(place(box(), 0.0, 0.0, 0.0499)))
    assert "penetration" not in failed(report)
    assert report.engines[0].max_penetration_mm == pytest.approx(0.1, abs=0.01)


def test_a_leaning_tower_fails_the_settle_gate() -> None:
    tower = rigid_asset("tower", [box_piece([0.05, 0.05, 0.5])])
    lean = rotation_about(np.array([0.0, 1.0, 0.0]), np.deg2rad(9.0))
    report = gated(make_scene(place(tower, 0.0, 0.0, 0.252, rotation=lean)))
    assert "settle" in failed(report)
    assert [summary.stable_fraction for summary in report.engines] == [0.0, 0.0]


def test_an_object_that_was_fixed_in_place_counts_as_not_stable() -> None:
    scene = make_scene(place(box("first"), 0.0, 0.0, 0.05), place(box("second"), 0.5, 0.0, 0.05))
    first, second = scene.objects
    report = gated(replace(scene, objects=(first, replace(second, fixed=True))))
    assert [summary.stable_fraction for summary in report.engines] == [0.5, 0.5]
    assert report.fixed == ("second",)


def test_a_scene_without_objects_is_not_called_stable() -> None:
    assert [summary.stable_fraction for summary in gated(make_scene()).engines] == [0.0, 0.0]


def test_something_that_rolls_on_fails_the_drift_gate_and_later_escapes() -> None:
    ball = rigid_asset("ball", [sphere_piece(0.05)], friction=0.5)
    slope = rotation_about(np.array([0.0, 1.0, 0.0]), np.deg2rad(4.0))
    plate = slab("slope", size_m=(3.0, 3.0, 0.1))
    hull = hull_piece(plate.pieces[0].mesh.vertices @ slope.T)
    plate = replace(plate, pieces=(hull,), visual=hull.mesh)
    report = gated(make_scene(place(ball, *(slope @ np.array([-1.0, 0.0, 0.05]))), structures=[plate]), seconds=8.0)
    assert {"settle", "drift", "escape"} <= failed(report)


def test_a_scene_without_ground_lets_everything_escape() -> None:
    report = gated(make_scene(place(box(), 0.0, 0.0, 1.0), structures=[]))
    assert {(result.engine, result.subject) for result in report.failures if result.gate == "escape"} == {
        ("pybullet", "box"),
        ("mujoco", "box"),
    }


def test_engines_that_rest_apart_fail_the_agreement_gate() -> None:
    """A pole that stands on its tip falls to whichever side rounding decides, or at different times."""
    pole = rigid_asset("pole", [box_piece([0.004, 0.004, 0.6])], mass_kg=0.1)
    lean = rotation_about(np.array([1.0, 1.0, 0.0]), np.deg2rad(0.45))
    report = gated(make_scene(place(pole, 0.0, 0.0, 0.3003, rotation=lean)))
    assert report.agreement_mm is not None
    assert report.agreement_mm > 5.0
    assert "agreement" in failed(report)


def test_one_engine_alone_has_no_agreement() -> None:
    report = run_gates(make_scene(place(box(), 0.0, 0.0, 0.05)), engines=["fake"])
    assert report.agreement_mm is None
    assert report.to_json()["agreement"] == {"max_mm": None, "max_deg": None}
    assert report.engines[0].engine == "fake"


def test_a_still_scene_is_not_watched_to_the_end_and_says_so() -> None:
    report = run_gates(make_scene(place(box(), 0.0, 0.0, 0.05)), engines=["fake"])
    assert report.engines[0].simulated_s == 4.0


def test_a_bouncing_ball_does_not_come_to_rest_in_a_second() -> None:
    ball = rigid_asset("ball", [sphere_piece(0.04)], restitution=1.0)
    with engine_named("pybullet") as engine:
        (drop,) = drop_assets(
            [place(ball, 0.0, 0.0, 0.04)], engine, config=DropConfig(max_duration_s=1.0, height_m=1.0)
        )
    assert not drop.rested
    assert drop.rest_s == 1.0


@pytest.mark.parametrize("name", ["pybullet", "mujoco"])
def test_dropped_boxes_come_to_rest_without_rising_or_sinking(name: str) -> None:
    boxes = [place(box("wood"), 5.0, 5.0, 5.0), place(box("small", 0.02), -1.0, 0.0, 0.0)]
    with engine_named(name) as engine:
        drops = drop_assets(boxes, engine)
    assert [drop.name for drop in drops] == ["wood", "small"]
    for drop in drops:
        assert drop.rested
        assert drop.rest_s <= 1.0
        assert drop.highest_m < 1e-6
        assert drop.depth_m < 2e-4
        assert drop.turned_rad < 0.01


def bowl(*, lid: bool) -> Asset:
    """Return an open box of five walls; with a lid its collision pieces close the hollow that the eye sees."""
    walls: list[Piece] = [box_piece([0.12, 0.12, 0.01], center_m=(0.0, 0.0, -0.035))]
    for side in (-1.0, 1.0):
        walls.append(box_piece([0.01, 0.12, 0.08], center_m=(0.055 * side, 0.0, 0.0)))
        walls.append(box_piece([0.12, 0.01, 0.08], center_m=(0.0, 0.055 * side, 0.0)))
    asset = rigid_asset("bowl", walls)
    if not lid:
        return asset
    filled = (hull_piece(asset.links[0].visual.vertices),)
    return replace(asset, links=(replace(asset.links[0], pieces=filled),))


@pytest.mark.parametrize("name", ["pybullet", "mujoco"])
def test_a_ball_ends_inside_a_hollow_bowl_and_not_in_a_filled_one(name: str) -> None:
    with engine_named(name) as engine:
        hollow = probe_cavity(bowl(lid=False), engine)
        filled = probe_cavity(bowl(lid=True), engine)
        solid = probe_cavity(box(), engine)
    assert hollow.has_hollow
    assert hollow.depth_m == pytest.approx(0.07, abs=1e-6)
    assert hollow.sunk_m == pytest.approx(0.07, abs=1e-3)
    assert hollow.ball_inside
    assert filled.has_hollow
    assert filled.sunk_m == pytest.approx(0.0, abs=1e-3)
    assert not filled.ball_inside
    assert not solid.has_hollow


def test_a_filled_bowl_fails_the_hollow_gate() -> None:
    good, bad = (gated(make_scene(place(bowl(lid=lid), 0.0, 0.0, 0.04))) for lid in (False, True))
    assert {result.gate for result in good.results} >= {"hollow"}
    assert good.passed
    assert failed(bad) == {"hollow"}


def test_a_report_can_be_stored_and_read_back() -> None:
    report = gated(make_scene(place(bowl(lid=False), 0.0, 0.0, 0.04)))
    assert decode(GateReport, encode(report)) == report


@pytest.mark.parametrize("name", ["pybullet", "mujoco"])
def test_a_joint_is_swept_through_its_range(name: str) -> None:
    frame, door = (
        make_link("frame", [box_piece([0.2, 0.2, 0.2])], mass_kg=2.0),
        make_link("door", [box_piece([0.1] * 3)], mass_kg=0.2),
    )
    hinge = Joint(
        name="hinge",
        kind="revolute",
        parent="frame",
        child="door",
        parent_from_child=rigid(None, np.array([0.0, 0.3, 0.0])),
        axis=np.array([0.0, 0.0, 1.0]),
        lower=-0.5,
        upper=1.5,
        damping=0.01,
    )
    with engine_named(name) as engine:
        (sweep,) = sweep_joints(articulated_asset("cupboard", [frame, door], joints=[hinge]), engine)
    assert (sweep.asset, sweep.joint) == ("cupboard", "hinge")
    assert sweep.worst_error < 0.01
    assert sweep.root_moved_m < 1e-9
