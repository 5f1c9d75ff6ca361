"""Physics gates of a scene: measured values beside thresholds, by gate, engine and object."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cousins.plugins import load_backend
from cousins.scene.layout.hanging import attachment_gaps
from cousins.scene.scenes import Scene, hanging_supports
from sim.physics.installed import require_engines
from sim.physics.motion import pose_distance
from sim.validation.probes import (
    CavityProbe,
    DropConfig,
    DropResult,
    JointSweep,
    drop_assets,
    probe_cavity,
    sweep_joints,
)
from sim.validation.stability import ObjectStability, SceneStability, StabilityConfig, measure_stability


@dataclass(frozen=True, kw_only=True)
class GateThresholds:
    """Largest values with which a scene passes."""

    penetration_m: float = 0.001
    """Deepest contact at t = 0 and after a drop [m]."""
    drift_m: float = 0.005
    """Distance that an object moves while it settles, and again while drift is measured [m]."""
    drift_rad: float = np.deg2rad(3.0)
    """The same as an angle [rad]."""
    agreement_m: float = 0.005
    """Distance of the rest poses in two engines [m]."""
    agreement_rad: float = np.deg2rad(3.0)
    """The same as an angle [rad]."""
    bounce_m: float = 0.01
    """Height by which a dropped object may rise above its start [m]."""
    hollow_m: float = 0.02
    """Depth from which a hollow must hold a ball [m]; deeper than dents from a phone's depth noise."""
    max_unfilled_fraction: float = 0.5
    """Share of a hollow's depth that the ball may leave empty below it [1]."""
    joint_error: float = 0.01
    """Largest distance of a joint outside its limits [rad or m]."""


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """Thresholds and procedures of the gates."""

    thresholds: GateThresholds = field(default_factory=GateThresholds)
    """Largest values that pass."""
    stability: StabilityConfig = field(default_factory=StabilityConfig)
    """How long a scene is simulated."""
    drop: DropConfig = field(default_factory=DropConfig)
    """How assets are dropped."""


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """One measured value and its threshold."""

    gate: str
    """`penetration`, `settle`, `drift`, `escape`, `drop rest`, `drop bounce`, `drop penetration`, `hollow`, ..."""
    engine: str
    """Engine of the measurement; both names for `agreement`, `geometry` for `attachment`."""
    subject: str
    """Object, or `asset/joint`."""
    value: float
    """Measured value."""
    threshold: float
    """Largest value that passes."""
    unit: str
    """Unit of both: `mm`, `deg`, `s`, `1`."""

    @property
    def passed(self) -> bool:
        """Whether the value is within its threshold; NaN is not."""
        return self.value <= self.threshold


@dataclass(frozen=True, kw_only=True)
class EngineSummary:
    """Summary of a scene's gates in one engine."""

    engine: str
    """Name of the engine."""
    version: str
    """Version of the engine."""
    max_penetration_mm: float
    """Deepest contact at t = 0."""
    max_settle_mm: float
    """Largest distance from the pose at t = 0 within the first second."""
    max_drift_mm: float
    """Largest distance from the settled pose within the following three seconds."""
    max_drift_deg: float
    """The same as an angle."""
    stable_fraction: float
    """Share of the objects that need to stand that pass penetration, settle, drift and escape; an object that was fixed
    in place does not stand and counts as failed, what hangs is left out. 0 for a scene without such objects."""
    simulated_s: float
    """Simulated time [s]; shorter than the full time only if nothing moved any more."""


@dataclass(frozen=True, kw_only=True)
class GateReport:
    """Results of all gates of a scene."""

    engines: tuple[EngineSummary, ...]
    """One summary per engine."""
    results: tuple[GateResult, ...]
    """All measured values."""
    agreement_mm: float | None
    """Largest distance between rest poses of two engines; None with one engine."""
    agreement_deg: float | None
    """The same as an angle."""
    fixed: tuple[str, ...] = ()
    """Objects that are fixed in place although they should stand: not measured, and counted as failed in
    `stable_fraction`."""
    hanging: Mapping[str, str] = field(default_factory=dict)
    """Wall or ceiling of each hanging object, by name: measured by `attachment` only, not counted."""

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return all(result.passed for result in self.results)

    @property
    def failures(self) -> tuple[GateResult, ...]:
        """The results that failed, in order."""
        return tuple(result for result in self.results if not result.passed)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values: `gates` by engine, `fixed`, `hanging`, `agreement`, `ok`, all `results`."""
        return {
            "ok": self.passed,
            "gates": {
                summary.engine: {
                    "version": summary.version,
                    "max_penetration_mm": round(summary.max_penetration_mm, 4),
                    "max_settle_mm": round(summary.max_settle_mm, 4),
                    "max_drift_mm": round(summary.max_drift_mm, 4),
                    "max_drift_deg": round(summary.max_drift_deg, 4),
                    "stable_fraction": round(summary.stable_fraction, 6),
                    "simulated_s": summary.simulated_s,
                }
                for summary in self.engines
            },
            "fixed": list(self.fixed),
            "hanging": dict(self.hanging),
            "agreement": {"max_mm": _rounded(self.agreement_mm), "max_deg": _rounded(self.agreement_deg)},
            "results": [
                {
                    "gate": result.gate,
                    "engine": result.engine,
                    "subject": result.subject,
                    "value": _rounded(result.value),
                    "threshold": result.threshold,
                    "unit": result.unit,
                    "passed": result.passed,
                }
                for result in self.results
            ],
        }


def run_gates(scene: Scene, *, engines: Sequence[str] | None = None, config: GateConfig | None = None) -> GateReport:
    """Run all gates of a scene in every engine; without `engines`, in all that are installed, PyBullet first.

    Raises `InputError` where an engine is not installed, `EngineError` where the simulation fails.
    """
    engines = require_engines()[::-1] if engines is None else require_engines(engines)
    config = GateConfig() if config is None else config
    results: list[GateResult] = []
    stabilities: list[SceneStability] = []
    movable = [placed for placed in scene.objects if not placed.fixed]
    for name in engines:
        module = load_backend("sim.physics.backends", name, kind="engine")
        with module.build(module.Config()) as engine:
            stabilities.append(measure_stability(scene, engine, config=config.stability))
            drops = drop_assets(movable, engine, config=config.drop)
            sweeps = [sweep for placed in scene.objects for sweep in sweep_joints(placed.asset, engine)]
            cavities = {placed.asset.name: probe_cavity(placed.asset, engine) for placed in movable}
        for object_stability in stabilities[-1].objects:
            results += _scene_results(name, object_stability, config)
        for drop in drops:
            results += _drop_results(name, drop, config)
        results += [_sweep_result(name, sweep, config) for sweep in sweeps]
        for subject, cavity in cavities.items():
            results += _cavity_results(name, subject, cavity, config)
    agreement = [
        result for pair in itertools.combinations(stabilities, 2) for result in _agreement_results(*pair, config)
    ]
    results += agreement
    hanging = hanging_supports(scene)
    results += [
        _gate_result("geometry", name, "attachment", gap_m * 1e3, reach_m * 1e3, "mm")
        for name, (gap_m, reach_m) in attachment_gaps(scene).items()
    ]
    count = len(scene.objects) - len(hanging)
    return GateReport(
        engines=tuple(_engine_summary(stability, results, count=count) for stability in stabilities),
        results=tuple(results),
        agreement_mm=_largest(agreement, "mm") if len(stabilities) > 1 else None,
        agreement_deg=_largest(agreement, "deg") if len(stabilities) > 1 else None,
        fixed=tuple(placed.asset.name for placed in scene.objects if placed.fixed and placed.asset.name not in hanging),
        hanging=hanging,
    )


def _scene_results(engine: str, stability: ObjectStability, config: GateConfig) -> list[GateResult]:
    thresholds = config.thresholds
    rows = [
        ("penetration", stability.depth_m * 1e3, thresholds.penetration_m * 1e3, "mm"),
        ("settle", stability.settle_m * 1e3, thresholds.drift_m * 1e3, "mm"),
        ("settle", np.rad2deg(stability.settle_rad), np.rad2deg(thresholds.drift_rad), "deg"),
        ("drift", stability.drift_m * 1e3, thresholds.drift_m * 1e3, "mm"),
        ("drift", np.rad2deg(stability.drift_rad), np.rad2deg(thresholds.drift_rad), "deg"),
        ("escape", float(stability.escaped), 0.0, "1"),
    ]
    return [_gate_result(engine, stability.name, *row) for row in rows]


def _drop_results(engine: str, drop: DropResult, config: GateConfig) -> list[GateResult]:
    thresholds = config.thresholds
    rows = [
        ("drop rest", drop.moving_m * 1e3, config.drop.still_m * 1e3, "mm"),
        ("drop rest", np.rad2deg(drop.turning_rad), np.rad2deg(config.drop.still_rad), "deg"),
        ("drop bounce", drop.highest_m * 1e3, thresholds.bounce_m * 1e3, "mm"),
        ("drop penetration", drop.depth_m * 1e3, thresholds.penetration_m * 1e3, "mm"),
    ]
    return [_gate_result(engine, drop.name, *row) for row in rows]


def _sweep_result(engine: str, sweep: JointSweep, config: GateConfig) -> GateResult:
    return _gate_result(
        engine, f"{sweep.asset}/{sweep.joint}", "joint", sweep.worst_error, config.thresholds.joint_error, "1"
    )


def _cavity_results(engine: str, subject: str, cavity: CavityProbe, config: GateConfig) -> list[GateResult]:
    thresholds = config.thresholds
    if cavity.depth_m < thresholds.hollow_m:
        return []
    unfilled = 1.0 - cavity.sunk_m / cavity.depth_m
    return [_gate_result(engine, subject, "hollow", unfilled, thresholds.max_unfilled_fraction, "1")]


def _agreement_results(first: SceneStability, second: SceneStability, config: GateConfig) -> list[GateResult]:
    thresholds, engines = config.thresholds, f"{first.engine}, {second.engine}"
    results = []
    for name, pose in first.rest.items():
        distance, angle = pose_distance(pose, second.rest[name])
        results.append(_gate_result(engines, name, "agreement", distance * 1e3, thresholds.agreement_m * 1e3, "mm"))
        results.append(
            _gate_result(engines, name, "agreement", np.rad2deg(angle), np.rad2deg(thresholds.agreement_rad), "deg")
        )
    return results


def _gate_result(engine: str, subject: str, gate: str, value: float, threshold: float, unit: str) -> GateResult:
    return GateResult(
        gate=gate, engine=engine, subject=subject, value=float(value), threshold=round(float(threshold), 9), unit=unit
    )


def _engine_summary(stability: SceneStability, results: Sequence[GateResult], *, count: int) -> EngineSummary:
    """Return the summary of one engine; `count` is the number of objects but for hanging ones, fixed ones included."""
    stability_gates = ("penetration", "settle", "drift", "escape")
    failed = {
        result.subject
        for result in results
        if result.engine == stability.engine and result.gate in stability_gates and not result.passed
    }
    return EngineSummary(
        engine=stability.engine,
        version=stability.version,
        max_penetration_mm=max((measured.depth_m for measured in stability.objects), default=0.0) * 1e3,
        max_settle_mm=max((measured.settle_m for measured in stability.objects), default=0.0) * 1e3,
        max_drift_mm=max((measured.drift_m for measured in stability.objects), default=0.0) * 1e3,
        max_drift_deg=float(np.rad2deg(max((measured.drift_rad for measured in stability.objects), default=0.0))),
        stable_fraction=(len(stability.objects) - len(failed)) / count if count else 0.0,
        simulated_s=stability.simulated_s,
    )


def _largest(results: Sequence[GateResult], unit: str) -> float:
    return max((result.value for result in results if result.unit == unit), default=0.0)


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 4)
