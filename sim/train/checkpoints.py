"""Checkpoints of a training with Stable-Baselines3: its complete state as files, each written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cousins.publishing import write_atomic
from sim.envs.snapshots import environment_arrays, restore_environment
from sim.envs.vector_env import CousinsVectorEnv
from sim.train.cousin_sampling import restore_sampler, sampler_state
from sim.train.sb3_learners import learner_state, restore_learner
from sim.train.training_progress import (
    TRAINING_FILE,
    TrainingProgress,
    damaged_training_error,
    read_training_record,
    require_same_settings,
)

_ENVIRONMENT_PREFIX: Final = "environment/"


def save_checkpoint(folder: Path, progress: TrainingProgress, learner: Any, env: CousinsVectorEnv) -> None:
    """Write a checkpoint to the training's folder; the previous one stays valid until this one is complete."""
    arrays, numbers = learner_state(learner)
    arrays |= {f"{_ENVIRONMENT_PREFIX}{name}": values for name, values in environment_arrays(env).items()}
    data = save({name: np.asarray(value, order="C") for name, value in arrays.items()})
    name = f"state-{learner.num_timesteps}.safetensors"
    write_atomic(folder / name, data)
    record = {
        **progress.to_record(),
        "state": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "learner": numbers,
        "sampler": sampler_state(env.sampler),
    }
    write_atomic(folder / TRAINING_FILE, (json.dumps(record) + "\n").encode())
    for old in folder.glob("state-*.safetensors"):
        if old.name != name:
            old.unlink()


def load_checkpoint(folder: Path, progress: TrainingProgress, learner: Any, env: CousinsVectorEnv) -> TrainingProgress:
    """Restore learner and environment from a checkpoint, and return its progress.

    Raises `InputError` where the checkpoint is damaged or belongs to another training.
    """
    record = read_training_record(folder, runner="local")
    try:
        require_same_settings(record, progress)
        data = (folder / Path(record["state"]).name).read_bytes()
        if hashlib.sha256(data).hexdigest() != record["sha256"]:
            raise ValueError("its arrays are not those that it tells of")
        arrays = load(data)
    except (ValueError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise damaged_training_error(folder, error) from error
    restore_learner(learner, arrays, record["learner"])
    prefix = _ENVIRONMENT_PREFIX
    restore_environment(env, {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)})
    restore_sampler(env.sampler, record["sampler"])
    return replace(progress, prior_steps=record["before"], seconds=record["seconds"], curve=tuple(record["curve"]))
