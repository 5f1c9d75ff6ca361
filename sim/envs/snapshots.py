"""Running environments as arrays, so that a run that was killed goes on exactly as if it had not been.

    np.savez(path, **saved(env))        resume(env, np.load(path))

The environment that goes on is made with the same arguments. What an engine needs is its own snapshot of each row; a
row whose world is broken has none and begins its next episode as it would have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from cousins.errors import EngineError, InputError
from cousins.geometry import Array
from sim.envs.vector_env import CousinsVectorEnv
from sim.tasks import Rows


def saved(env: CousinsVectorEnv) -> dict[str, Array]:
    """Return all that decides the future of an environment but its arguments."""
    found = {f"live/{name}": values.copy() for name, values in _live(env).items()}
    for row in range(env.num_envs):
        try:
            snapshot = env.episodes.worlds.snapshot(row)
        except EngineError:
            snapshot = b""
        found[f"world/{row}"] = np.frombuffer(snapshot, dtype=np.uint8)
    words = json.dumps({"rngs": [rng.bit_generator.state for rng in env.generators()], "label": env.label})
    found["words"] = np.frombuffer(words.encode(), dtype=np.uint8)
    return found


def resume(env: CousinsVectorEnv, found: Mapping[str, Array]) -> None:
    """Let an environment that was made alike go on from what `saved` returned; raises `InputError` for another one."""
    words = json.loads(found["words"].tobytes())
    live = _live(env)
    alike = all(
        f"live/{name}" in found and found[f"live/{name}"].shape == values.shape for name, values in live.items()
    )
    if words["label"] != env.label or not alike:
        raise InputError(
            f"what was saved of another environment, {words['label']}"[:300],
            expected=f"one with the same arguments, {env.label}",
            hint="Make it with the same pack, task, body, rows and engine.",
        )
    for name, values in live.items():
        values[...] = found[f"live/{name}"]
    for rng, state in zip(env.generators(), words["rngs"], strict=True):
        rng.bit_generator.state = state
    worlds = env.episodes.worlds
    for row, index in enumerate(env.episodes.cousin.tolist()):
        worlds.show(row, index)
        snapshot = found[f"world/{row}"].tobytes()
        if snapshot:
            worlds.restore(row, snapshot)
    env.take_up()


def _live(env: CousinsVectorEnv) -> dict[str, Array]:
    """Return the arrays of a running environment themselves."""
    rows = {field.name: getattr(env.episodes.rows, field.name) for field in fields(Rows)}
    return {
        **{f"rows.{name}": values for name, values in rows.items() if isinstance(values, np.ndarray)},
        **{f"controller.{name}": values for name, values in env.episodes.controller.arrays().items()},
        **{f"episodes.{name}": values for name, values in env.episodes.arrays().items()},
        **{f"env.{name}": values for name, values in env.arrays().items()},
    }
