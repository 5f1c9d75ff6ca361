"""Proof that an asset keeps what it affords in physics: it stands, its hollow takes a ball in, its joints move."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.plugins import load
from cousins.reconstruct.assets import Asset
from cousins.vary.library.variants import lowest_point_m
from sim.physics.engine import Engine
from sim.physics.simple_assets import place, scene_of
from sim.validation.probes import probe_cavity, sweep_joints
from sim.validation.stability_trial import TrialConfig, try_scene

REST_GAP_M: Final = 1e-5
"""Gap under an asset that is put down [m]."""
HOLLOW_M: Final = 0.02
"""A hollow from this depth on must take a ball in, as in `sim.validation.gates` [m]."""
LEAST_SUNK: Final = 0.5
"""Share of a hollow's depth that its ball must sink."""
JOINT_ERROR: Final = 0.01
"""How far a joint may leave its limits [rad or m]."""
STANDS: Final = TrialConfig(settle_s=1.0, settled_m=0.005, settled_rad=float(np.deg2rad(3.0)))
"""How an asset alone on a floor is looked at."""


class Prover:
    """Proves assets in a row with the same engines; used as a context manager."""

    def __init__(self, engines: Sequence[str]) -> None:
        self._names = tuple(engines)
        self._stack = ExitStack()
        self._engines: list[Engine] = []

    def __enter__(self) -> Prover:
        for name in self._names:
            module = load("sim.physics.backends", name, kind="engine")
            self._engines.append(self._stack.enter_context(module.build(module.Config())))
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()
        self._engines.clear()

    def __call__(self, asset: Asset, rotation: Array | None = None) -> tuple[str, ...]:
        """Return in words what of an asset, turned by a rotation, does not hold in some engine."""
        height = REST_GAP_M - lowest_point_m(asset, rotation)
        scene = scene_of(place(asset, 0.0, 0.0, height, rotation=rotation))
        for engine in self._engines:
            trial = try_scene(scene, engine, config=STANDS)
            if trial.failures:
                return ("does not stand",)
            cavity = probe_cavity(asset, engine)
            if cavity.depth_m >= HOLLOW_M and cavity.sunk_m < LEAST_SUNK * cavity.depth_m:
                return ("its hollow takes no ball in",)
            if any(sweep.worst_error > JOINT_ERROR for sweep in sweep_joints(asset, engine)):
                return ("a joint leaves its limits",)
        return ()
