"""Snapshots of running environments as arrays, so that an interrupted run continues exactly as an unbroken one.

    np.savez(path, **environment_arrays(env))
    restore_environment(env, np.load(path))

The environment that is restored must be made with the same arguments. The engine adds a snapshot of each row; a row
whose world is broken has none and begins its next episode as it would have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from cousins.errors import EngineError, InputError
from cousins.geometry import Array
from sim.envs.vector_env import CousinsVectorEnv
from sim.tasks import EpisodeBatch


def environment_arrays(env: CousinsVectorEnv) -> dict[str, Array]:
    """Return the complete state of an environment by name, arrays of any shape [...]; its arguments are not in it."""
    arrays = {f"live/{name}": values.copy() for name, values in _live_arrays(env).items()}
    for row in range(env.num_envs):
        try:
            snapshot = env.episodes.worlds.snapshot(row)
        except EngineError:
            snapshot = b""
        arrays[f"world/{row}"] = np.frombuffer(snapshot, dtype=np.uint8)
    metadata = json.dumps({"rngs": [rng.bit_generator.state for rng in env.generators()], "label": env.provenance})
    arrays["words"] = np.frombuffer(metadata.encode(), dtype=np.uint8)
    return arrays


def restore_environment(env: CousinsVectorEnv, arrays: Mapping[str, Array]) -> None:
    """Restore the arrays [...] of `environment_arrays` in an environment that was made with the same arguments.

    Raises `InputError` where it was made with other arguments.
    """
    metadata = json.loads(arrays["words"].tobytes())
    live_arrays = _live_arrays(env)
    same_shapes = all(
        f"live/{name}" in arrays and arrays[f"live/{name}"].shape == values.shape
        for name, values in live_arrays.items()
    )
    if metadata["label"] != env.provenance or not same_shapes:
        raise InputError(
            f"what was saved of another environment, {metadata['label']}"[:300],
            expected=f"one with the same arguments, {env.provenance}",
            hint="Make it with the same pack, task, body, rows and engine.",
        )
    for name, values in live_arrays.items():
        values[...] = arrays[f"live/{name}"]
    for rng, state in zip(env.generators(), metadata["rngs"], strict=True):
        rng.bit_generator.state = state
    worlds = env.episodes.worlds
    for row, index in enumerate(env.episodes.cousin.tolist()):
        worlds.load_cousin(row, index)
        snapshot = arrays[f"world/{row}"].tobytes()
        if snapshot:
            worlds.restore(row, snapshot)
    env.refresh_state()


def _live_arrays(env: CousinsVectorEnv) -> dict[str, Array]:
    """Return the arrays of a running environment by name, as views."""
    rows = {field.name: getattr(env.episodes.rows, field.name) for field in fields(EpisodeBatch)}
    return {
        **{f"rows.{name}": values for name, values in rows.items() if isinstance(values, np.ndarray)},
        **{f"controller.{name}": values for name, values in env.episodes.controller.arrays().items()},
        **{f"episodes.{name}": values for name, values in env.episodes.arrays().items()},
        **{f"env.{name}": values for name, values in env.arrays().items()},
    }
