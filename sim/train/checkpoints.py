"""Marks of a training as files: all that decides its future, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from sim.envs.snapshots import resume, saved
from sim.envs.vector_env import CousinsVectorEnv
from sim.train.cousin_sampling import put_sampler_state, sampler_state
from sim.train.policies import write_whole
from sim.train.sb3_learners import put_state, state_of
from sim.train.training_progress import RECORD, Mark, read_record, require_same, unreadable

_WORLD: Final = "environment/"


def save_mark(folder: Path, mark: Mark, learner: Any, env: CousinsVectorEnv) -> None:
    """Write a mark; the one before stays good until this one is there whole."""
    arrays, numbers = state_of(learner)
    arrays |= {f"{_WORLD}{name}": values for name, values in saved(env).items()}
    data = save({name: np.asarray(value, order="C") for name, value in arrays.items()})
    name = f"state-{learner.num_timesteps}.safetensors"
    write_whole(folder / name, data)
    record = {
        **mark.told(),
        "state": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "learner": numbers,
        "sampler": sampler_state(env.sampler),
    }
    write_whole(folder / RECORD, (json.dumps(record) + "\n").encode())
    for old in folder.glob("state-*.safetensors"):
        if old.name != name:
            old.unlink()


def put_back(folder: Path, wanted: Mark, learner: Any, env: CousinsVectorEnv) -> Mark:
    """Put a training back to its mark; raises `InputError` where that is of another training, or damaged."""
    record = read_record(folder, runner="local")
    try:
        require_same(record, wanted)
        data = (folder / Path(record["state"]).name).read_bytes()
        if hashlib.sha256(data).hexdigest() != record["sha256"]:
            raise ValueError("its arrays are not those that it tells of")
        arrays = load(data)
    except (ValueError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise unreadable(folder, error) from error
    put_state(learner, arrays, record["learner"])
    resume(env, {name.removeprefix(_WORLD): values for name, values in arrays.items() if name.startswith(_WORLD)})
    put_sampler_state(env.sampler, record["sampler"])
    return replace(wanted, before=record["before"], seconds=record["seconds"], curve=tuple(record["curve"]))
