"""Gates: does a scene hold in physics? Measured values next to thresholds, by gate, engine and object."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cousins.plugins import load
from cousins.scene.scenes import Scene
from sim.physics.motion import moved
from sim.validation.probes import CavityProbe, Drop, DropConfig, JointSweep, drop_assets, probe_cavity, sweep_joints
from sim.validation.stability import ObjectWatch, SceneWatch, WatchConfig, watch


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What a scene must keep."""

    penetration_m: float = 0.001
    """Deepest contact at t = 0 and after a drop [m]."""
    drift_m: float = 0.005
    """Way of an object while it settles, and again while it is watched [m]."""
    drift_rad: float = np.deg2rad(3.0)
    """The same as an angle [rad]."""
    agreement_m: float = 0.005
    """Distance of the rest poses in two engines [m]."""
    agreement_rad: float = np.deg2rad(3.0)
    """The same as an angle [rad]."""
    bounce_m: float = 0.01
    """How far an object may rise above where it was dropped from [m]."""
    hollow_m: float = 0.02
    """A hollow from this depth on must take a ball in: deeper than dents left by a phone's depth noise [m]."""
    hollow_filled: float = 0.5
    """Share of a hollow's depth that its ball may fail to sink [1]."""
    joint: float = 0.01
    """How far a joint may leave its limits [rad or m]."""


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """What the gates do and want."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    """Bars."""
    watch: WatchConfig = field(default_factory=WatchConfig)
    """How long a scene is watched."""
    drop: DropConfig = field(default_factory=DropConfig)
    """How assets are dropped."""


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """One measured value against its bar."""

    gate: str
    """`penetration`, `settle`, `drift`, `escape`, `drop rest`, `drop bounce`, `drop penetration`, `hollow`, ..."""
    engine: str
    """Engine that it was measured in; both names for `agreement`."""
    subject: str
    """Object, or `asset/joint`."""
    value: float
    """Measured."""
    threshold: float
    """Largest value that passes."""
    unit: str
    """Unit of both: `mm`, `deg`, `s`, `1`."""

    @property
    def passed(self) -> bool:
        """Whether the value is within its bar; NaN is not."""
        return self.value <= self.threshold


@dataclass(frozen=True, kw_only=True)
class EngineSummary:
    """A scene in one engine, in a few numbers."""

    engine: str
    """Name of the engine."""
    version: str
    """Version of the engine."""
    max_penetration_mm: float
    """Deepest contact at t = 0."""
    max_settle_mm: float
    """Largest way from t = 0 within the first second."""
    max_drift_mm: float
    """Largest way from the settled pose within the three seconds after."""
    max_drift_deg: float
    """The same as an angle."""
    stable_fraction: float
    """Share of the movable objects that keep penetration, settle, drift and escape; 1 for a scene without any."""
    simulated_s: float
    """Simulated time; below the full time only when nothing moved any more."""


@dataclass(frozen=True, kw_only=True)
class GateReport:
    """All gates of a scene."""

    engines: tuple[EngineSummary, ...]
    """By engine."""
    results: tuple[GateResult, ...]
    """Every measured value."""
    agreement_mm: float | None
    """Largest distance between rest poses of two engines; None with one engine."""
    agreement_deg: float | None
    """The same as an angle."""
    fixed: tuple[str, ...] = ()
    """Objects that are fixed in place: counted here, and in no other number."""

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return all(result.passed for result in self.results)

    @property
    def failures(self) -> tuple[GateResult, ...]:
        """What failed, in order."""
        return tuple(result for result in self.results if not result.passed)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values: `gates` by engine, `fixed`, `agreement`, `ok` and all `results`."""
        return {
            "ok": self.passed,
            "gates": {
                one.engine: {
                    "version": one.version,
                    "max_penetration_mm": round(one.max_penetration_mm, 4),
                    "max_settle_mm": round(one.max_settle_mm, 4),
                    "max_drift_mm": round(one.max_drift_mm, 4),
                    "max_drift_deg": round(one.max_drift_deg, 4),
                    "stable_fraction": round(one.stable_fraction, 6),
                    "simulated_s": one.simulated_s,
                }
                for one in self.engines
            },
            "fixed": list(self.fixed),
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


def run_gates(
    scene: Scene, *, engines: Sequence[str] = ("pybullet", "mujoco"), config: GateConfig | None = None
) -> GateReport:
    """Return every gate of a scene in every engine; raises `EngineError` where an engine breaks it."""
    config = GateConfig() if config is None else config
    results: list[GateResult] = []
    watches: list[SceneWatch] = []
    movable = [one for one in scene.objects if not one.fixed]
    for name in engines:
        module = load("sim.physics.backends", name, kind="engine")
        with module.build(module.Config()) as engine:
            watches.append(watch(scene, engine, config=config.watch))
            drops = drop_assets(movable, engine, config=config.drop)
            sweeps = [sweep for one in scene.objects for sweep in sweep_joints(one.asset, engine)]
            cavities = {one.asset.name: probe_cavity(one.asset, engine) for one in movable}
        for seen in watches[-1].objects:
            results += _scene_results(name, seen, config)
        for drop in drops:
            results += _drop_results(name, drop, config)
        results += [_sweep_result(name, sweep, config) for sweep in sweeps]
        for subject, cavity in cavities.items():
            results += _cavity_results(name, subject, cavity, config)
    agreement = [one for pair in itertools.combinations(watches, 2) for one in _agreement(*pair, config)]
    results += agreement
    return GateReport(
        engines=tuple(_summary(one, results) for one in watches),
        results=tuple(results),
        agreement_mm=_largest(agreement, "mm") if len(watches) > 1 else None,
        agreement_deg=_largest(agreement, "deg") if len(watches) > 1 else None,
        fixed=tuple(one.asset.name for one in scene.objects if one.fixed),
    )


def _scene_results(engine: str, seen: ObjectWatch, config: GateConfig) -> list[GateResult]:
    bars = config.thresholds
    rows = [
        ("penetration", seen.depth_m * 1e3, bars.penetration_m * 1e3, "mm"),
        ("settle", seen.settle_m * 1e3, bars.drift_m * 1e3, "mm"),
        ("settle", np.rad2deg(seen.settle_rad), np.rad2deg(bars.drift_rad), "deg"),
        ("drift", seen.drift_m * 1e3, bars.drift_m * 1e3, "mm"),
        ("drift", np.rad2deg(seen.drift_rad), np.rad2deg(bars.drift_rad), "deg"),
        ("escape", float(seen.escaped), 0.0, "1"),
    ]
    return [_result(engine, seen.name, *row) for row in rows]


def _drop_results(engine: str, drop: Drop, config: GateConfig) -> list[GateResult]:
    bars = config.thresholds
    rows = [
        ("drop rest", drop.moving_m * 1e3, config.drop.still_m * 1e3, "mm"),
        ("drop rest", np.rad2deg(drop.turning_rad), np.rad2deg(config.drop.still_rad), "deg"),
        ("drop bounce", drop.highest_m * 1e3, bars.bounce_m * 1e3, "mm"),
        ("drop penetration", drop.depth_m * 1e3, bars.penetration_m * 1e3, "mm"),
    ]
    return [_result(engine, drop.name, *row) for row in rows]


def _sweep_result(engine: str, sweep: JointSweep, config: GateConfig) -> GateResult:
    return _result(engine, f"{sweep.asset}/{sweep.joint}", "joint", sweep.worst_error, config.thresholds.joint, "1")


def _cavity_results(engine: str, subject: str, cavity: CavityProbe, config: GateConfig) -> list[GateResult]:
    bars = config.thresholds
    if cavity.depth_m < bars.hollow_m:
        return []
    filled = 1.0 - cavity.sunk_m / cavity.depth_m
    return [_result(engine, subject, "hollow", filled, bars.hollow_filled, "1")]


def _agreement(first: SceneWatch, second: SceneWatch, config: GateConfig) -> list[GateResult]:
    bars, both = config.thresholds, f"{first.engine}, {second.engine}"
    results = []
    for name, pose in first.rest.items():
        distance, angle = moved(pose, second.rest[name])
        results.append(_result(both, name, "agreement", distance * 1e3, bars.agreement_m * 1e3, "mm"))
        results.append(_result(both, name, "agreement", np.rad2deg(angle), np.rad2deg(bars.agreement_rad), "deg"))
    return results


def _result(engine: str, subject: str, gate: str, value: float, threshold: float, unit: str) -> GateResult:
    return GateResult(
        gate=gate, engine=engine, subject=subject, value=float(value), threshold=round(float(threshold), 9), unit=unit
    )


def _summary(seen: SceneWatch, results: Sequence[GateResult]) -> EngineSummary:
    watched = ("penetration", "settle", "drift", "escape")
    failed = {one.subject for one in results if one.engine == seen.engine and one.gate in watched and not one.passed}
    return EngineSummary(
        engine=seen.engine,
        version=seen.version,
        max_penetration_mm=max((one.depth_m for one in seen.objects), default=0.0) * 1e3,
        max_settle_mm=max((one.settle_m for one in seen.objects), default=0.0) * 1e3,
        max_drift_mm=max((one.drift_m for one in seen.objects), default=0.0) * 1e3,
        max_drift_deg=float(np.rad2deg(max((one.drift_rad for one in seen.objects), default=0.0))),
        stable_fraction=1.0 - len(failed) / len(seen.objects) if seen.objects else 1.0,
        simulated_s=seen.simulated_s,
    )


def _largest(results: Sequence[GateResult], unit: str) -> float:
    return max((one.value for one in results if one.unit == unit), default=0.0)


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 4)
