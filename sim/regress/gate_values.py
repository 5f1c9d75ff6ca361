"""Gate values of a cousin for suites: how deep, how far and how much its objects move by themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cousins.plugins import load_backend
from cousins.regress.bands import SHAKE_M
from cousins.scene.scenes import Scene
from sim.validation.stability import StabilityConfig, measure_stability

BACKENDS = "sim.physics.backends"


def measured_gates(scene: Scene, engine: str, *, shake: int | None = None) -> dict[str, float]:
    """Return the gate values of a scene by name, those of `suites.GATE_NAMES`; raises `EngineError`.

    With `shake`, objects begin some `SHAKE_M` away, drawn by that number.
    """
    module = load_backend(BACKENDS, engine, kind="engine")
    if shake is not None:
        scene = _shaken(scene, np.random.default_rng(np.random.SeedSequence(shake)))
    with module.build(module.Config()) as built:
        objects = measure_stability(scene, built, config=StabilityConfig()).objects
    return {
        "max_penetration_mm": 1e3 * max((item.depth_m for item in objects), default=0.0),
        "max_settle_mm": 1e3 * max((item.settle_m for item in objects), default=0.0),
        "max_drift_mm": 1e3 * max((item.drift_m for item in objects), default=0.0),
        "max_drift_deg": float(np.rad2deg(max((item.drift_rad for item in objects), default=0.0))),
        "escaped": float(sum(item.escaped for item in objects)),
    }


def _shaken(scene: Scene, rng: np.random.Generator) -> Scene:
    placed = []
    for item in scene.objects:
        pose = item.world_from_asset.copy()
        pose[:3, 3] += rng.normal(0.0, SHAKE_M, 3) * (not item.fixed)
        placed.append(replace(item, world_from_asset=pose))
    return replace(scene, objects=tuple(placed))
