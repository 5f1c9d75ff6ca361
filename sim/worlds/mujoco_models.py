"""Compiled cousins, kept in memory and, if wished, on disk."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import mujoco
import numpy as np

from cousins.geometry import Array
from sim.bodies.body import Body
from sim.physics.engine import require_loadable
from sim.worlds.looks import world_from_base
from sim.worlds.mujoco_compiler import compile_world, digest_of, note_of, start_of
from sim.worlds.mujoco_state_layout import Columns, columns_of
from sim.worlds.worlds import BODY, Slots, Source


class Spare(Protocol):
    """Memory to step a model with."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Compiled:
    """A model with what its names mean."""

    index: int
    """Number of the cousin."""
    model: Any
    """MuJoCo's model."""
    start: Array
    """Generalised positions at the start [nq]."""
    world_from_base: Array
    """Where the body stands [4, 4]."""
    columns: Columns
    """Where the columns of the batch lie in its state."""
    spare: list[Spare] = field(default_factory=list)
    """What rows that showed it have left for the next."""


class Models:
    """Compiled cousins of one source with one body; the last used are kept."""

    def __init__(
        self,
        source: Source,
        body: Body,
        slots: Slots,
        *,
        timestep_s: float,
        sleep: bool,
        cache_mb: float,
        folder: Path | None,
    ) -> None:
        self._source = source
        self._slots = slots
        self._body = replace(body, asset=replace(body.asset, name=BODY))
        self._timestep_s = timestep_s
        self._sleep = sleep
        self._most = int(cache_mb * 1e6)
        self._folder = folder
        self._kept: OrderedDict[int, tuple[Compiled, int]] = OrderedDict()
        self._digest = digest_of(self._body, timestep_s=timestep_s, sleep=sleep)
        self.compiled = 0

    def model(self, index: int) -> Compiled:
        """Return a cousin's model, from memory, disk or its scene; raises `EngineError`.

        A file on disk that MuJoCo cannot read is made anew.
        """
        found = self._kept.pop(index, None)
        if found is None:
            made = self._read(index) or self._make(index)
            found = (made, int(made.model.nbuffer))
        self._kept[index] = found
        self._forget()
        return found[0]

    def give_back(self, compiled: Compiled, left: Spare) -> None:
        """Keep what a row leaves for the next that shows this model."""
        kept = self._kept.get(compiled.index)
        if kept is not None and kept[0] is compiled:
            compiled.spare.append(left)
            self._kept[compiled.index] = (
                compiled,
                int(compiled.model.nbuffer) + sum(one.size for one in compiled.spare),
            )
            self._forget()

    def clear(self) -> None:
        """Forget all models."""
        while self._kept:
            self._drop_oldest()

    def _forget(self) -> None:
        total = sum(size for _, size in self._kept.values())
        while total > self._most and len(self._kept) > 1:
            total -= self._drop_oldest()

    def _drop_oldest(self) -> int:
        """Forget the model that was not used for longest; return its size [bytes].

        What rows have left refers to the model that holds it: it goes at once rather than with the next collection.
        """
        _, (compiled, size) = self._kept.popitem(last=False)
        compiled.spare.clear()
        return size

    def _make(self, index: int) -> Compiled:
        scene, task = self._source.scene(index), self._source.cousin(index).task
        require_loadable(scene, engine="mujoco")
        model = compile_world(scene, self._body, world_from_base(task), timestep_s=self._timestep_s, sleep=self._sleep)
        self.compiled += 1
        self._write(index, model)
        return self._compiled(index, model)

    def _compiled(self, index: int, model: Any) -> Compiled:
        note = note_of(model)
        return Compiled(
            index=index,
            model=model,
            start=start_of(model, note),
            world_from_base=np.array(note["base"]),
            columns=columns_of(model, note["joints"], self._slots, self._body),
        )

    def _path(self, index: int) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"{self._source.digest[-16:]}-{self._digest}-{index:06d}.mjb"

    def _read(self, index: int) -> Compiled | None:
        path = self._path(index)
        if path is None or not path.is_file():
            return None
        try:
            return self._compiled(index, mujoco.MjModel.from_binary_path(str(path)))
        except ValueError:
            path.unlink(missing_ok=True)
            return None

    def _write(self, index: int, model: Any) -> None:
        path = self._path(index)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = path.with_suffix(f".{os.getpid()}.tmp")
            mujoco.mj_saveModel(model, str(whole))
            whole.replace(path)
