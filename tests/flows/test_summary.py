"""The summary lists every fact once, in the units of the reader."""

from __future__ import annotations

from dataclasses import replace

from flows.reporting.summary import asset_summary, fallbacks_of, scene_summary
from sim.physics.simple_assets import box_piece, make_scene, place, rigid_asset
from sim.validation.gates import EngineSummary, GateReport, GateResult

BOX = place(rigid_asset("box", [box_piece((0.1, 0.2, 0.3))], mass_kg=0.4), 0.0, 0.0, 0.15)
ENGINE = EngineSummary(
    engine="fake",
    version="1",
    max_penetration_mm=0.0,
    max_settle_mm=0.0,
    max_drift_mm=7.0,
    max_drift_deg=0.0,
    stable_fraction=0.0,
    simulated_s=4.0,
)


def drift(engine: str, value: float) -> GateResult:
    return GateResult(gate="drift", engine=engine, subject="box", value=value, threshold=5.0, unit="mm")


def report(*results: GateResult) -> GateReport:
    return GateReport(engines=(ENGINE,), results=results, agreement_mm=None, agreement_deg=None)


def test_an_asset_has_the_promised_keys() -> None:
    asset = asset_summary(BOX, scale_error=0.01)
    promised = "name label size_m position_m mass_kg hulls observed_fraction joints"
    assert set(promised.split()) <= set(asset)
    assert asset["size_m"] == [0.1, 0.2, 0.3]
    assert asset["size_error_m"] == [0.001, 0.002, 0.003]
    assert asset["position_m"] == [0.0, 0.0, 0.15]
    assert asset["mass_kg"] == {"value": 0.4, "low": 0.4, "high": 0.4, "source": "default"}


def test_a_gate_that_fails_in_two_engines_is_one_warning() -> None:
    summary = scene_summary(make_scene(BOX), report(drift("pybullet", 7.0), drift("mujoco", 6.0), drift("fake", 1.0)))
    assert summary["warnings"] == [
        "box fails the gate 'drift': 7 mm in pybullet (at most 5), 6 mm in mujoco (at most 5)."
    ]
    assert summary["ok"] is False


def test_a_scene_without_objects_says_so() -> None:
    assert scene_summary(make_scene(), report())["warnings"] == [
        "No object was found: the twin is fixed structure alone."
    ]


def test_every_fallback_is_listed_once_with_its_object() -> None:
    asset = replace(BOX.asset, fallbacks=("a box replaced the pieces", "a box replaced the pieces"))
    scene = replace(make_scene(replace(BOX, asset=asset)), fallbacks=("no floor was seen", "no floor was seen"))
    assert fallbacks_of(scene) == ["no floor was seen", "box: a box replaced the pieces"]
