"""Marks of a training as files: all that decides its future, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cousins.codec import plain
from cousins.errors import InputError
from sim.envs.resuming import resume, saved
from sim.envs.vector_env import CousinsVectorEnv
from sim.train.learners import put_state, state_of
from sim.train.policies import CARD, write_whole
from sim.train.replaying import put_sampler_state, sampler_state
from sim.train.settings import Training

RECORD: Final = "training.json"
_WORLD: Final = "environment/"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """How far a training has come."""

    training: Training
    """What is learned."""
    digest: str
    """Digest of the pack."""
    before: int = 0
    """Steps of the policy that it started from."""
    seconds: float = 0.0
    """By the clock, so far."""
    curve: tuple[dict[str, float], ...] = ()
    """Learning curve."""

    def grown(self, point: dict[str, float], seconds: float) -> Mark:
        """Return the mark one point later."""
        return replace(self, curve=(*self.curve, point), seconds=seconds)


def require_free(folder: Path) -> None:
    """Raise `InputError` where a folder holds a training or a policy."""
    if (folder / RECORD).exists() or (folder / CARD).exists():
        raise InputError(
            f"a policy in {os.fspath(folder)!r}",
            expected="a folder without one",
            hint="Go on with it by --resume, or name another folder.",
        )


def save_mark(folder: Path, mark: Mark, learner: Any, env: CousinsVectorEnv) -> None:
    """Write a mark; the one before stays good until this one is there whole."""
    arrays, numbers = state_of(learner)
    arrays |= {f"{_WORLD}{name}": values for name, values in saved(env).items()}
    data = save({name: np.asarray(value, order="C") for name, value in arrays.items()})
    name = f"state-{learner.num_timesteps}.safetensors"
    write_whole(folder / name, data)
    record = {
        "training": plain(mark.training),
        "digest": mark.digest,
        "before": mark.before,
        "seconds": mark.seconds,
        "curve": list(mark.curve),
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
    if not (folder / RECORD).is_file():
        raise InputError(
            f"no {RECORD} in {os.fspath(folder)!r}",
            expected="a training that was begun there",
            hint="Leave out --resume to begin one.",
        )
    try:
        record = json.loads((folder / RECORD).read_bytes())
        _require_same(record, wanted)
        data = (folder / Path(record["state"]).name).read_bytes()
        if hashlib.sha256(data).hexdigest() != record["sha256"]:
            raise ValueError("its arrays are not those that it tells of")
        arrays = load(data)
    except (ValueError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise InputError(
            f"a training in {os.fspath(folder)!r} that cannot go on ({error})"[:300],
            expected=f"{RECORD} and the state that it names, as they were written",
            hint="Begin anew in another folder.",
        ) from error
    put_state(learner, arrays, record["learner"])
    resume(env, {name.removeprefix(_WORLD): values for name, values in arrays.items() if name.startswith(_WORLD)})
    put_sampler_state(env.sampler, record["sampler"])
    return replace(wanted, before=record["before"], seconds=record["seconds"], curve=tuple(record["curve"]))


def _require_same(record: dict[str, Any], wanted: Mark) -> None:
    """Raise `InputError` where a training was begun with other settings; more steps are none."""
    asked = plain(wanted.training) | {"steps": 0}
    begun = record["training"] | {"steps": 0}
    other = sorted(name for name in asked if asked[name] != begun.get(name))
    if record["digest"] != wanted.digest:
        other.append("pack")
    if other:
        raise InputError(
            f"a training that was begun with another {', '.join(other)}",
            expected="the settings that it was begun with",
            hint="Give the same ones, or begin anew in another folder.",
        )
