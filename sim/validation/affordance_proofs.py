"""Test in physics that an asset keeps its affordances: it stands, its hollow holds a ball, its joints move."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.plugins import load_backend
from cousins.reconstruct.assets import Asset
from cousins.vary.library.variants import lowest_point_m
from sim.physics.engine import Engine
from sim.physics.installed import require_engines
from sim.physics.simple_assets import make_scene, place
from sim.validation.probes import probe_cavity, sweep_joints
from sim.validation.stability_trial import TrialConfig, run_trial

REST_GAP_M: Final = 1e-5
"""Initial gap between an asset and the floor [m]."""
MIN_HOLLOW_DEPTH_M: Final = 0.02
"""Depth from which a hollow must hold a ball [m], as in `sim.validation.gates`."""
MIN_SUNK_FRACTION: Final = 0.5
"""Share of a hollow's depth by which the ball must sink into it."""
MAX_JOINT_ERROR: Final = 0.01
"""Largest distance of a joint outside its limits [rad or m]."""
STANDING_TRIAL: Final = TrialConfig(settle_s=1.0, settled_m=0.005, settled_rad=float(np.deg2rad(3.0)))
"""Stability trial of a single asset on a floor."""


class AffordanceProver:
    """Tests the affordances of assets one after another with the same engines; a context manager."""

    def __init__(self, engines: Sequence[str]) -> None:
        self._names = tuple(engines)
        self._stack = ExitStack()
        self._engines: list[Engine] = []

    def __enter__(self) -> AffordanceProver:
        for name in require_engines(self._names):
            module = load_backend("sim.physics.backends", name, kind="engine")
            self._engines.append(self._stack.enter_context(module.build(module.Config())))
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()
        self._engines.clear()

    def __call__(self, asset: Asset, rotation: Array | None = None) -> tuple[str, ...]:
        """Return the failures of an asset, turned by a rotation [3, 3], in the first engine in which it fails."""
        height = REST_GAP_M - lowest_point_m(asset, rotation)
        scene = make_scene(place(asset, 0.0, 0.0, height, rotation=rotation))
        for engine in self._engines:
            trial = run_trial(scene, engine, config=STANDING_TRIAL)
            if trial.failures:
                return ("does not stand",)
            cavity = probe_cavity(asset, engine)
            if cavity.depth_m >= MIN_HOLLOW_DEPTH_M and cavity.sunk_m < MIN_SUNK_FRACTION * cavity.depth_m:
                return ("its hollow takes no ball in",)
            if any(sweep.worst_error > MAX_JOINT_ERROR for sweep in sweep_joints(asset, engine)):
                return ("a joint leaves its limits",)
        return ()
