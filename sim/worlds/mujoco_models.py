"""A cache of compiled cousins, in memory and optionally on disk."""

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
from sim.worlds.mujoco_compiler import compile_world, model_digest, read_note, start_qpos
from sim.worlds.mujoco_state_layout import StateAddresses, state_addresses
from sim.worlds.worlds import ROBOT_NAME, CousinSource, Slots


class StepMemory(Protocol):
    """Memory for stepping a model, kept for reuse."""

    @property
    def size(self) -> int:
        """Size [bytes]."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CompiledCousin:
    """A compiled cousin and the addresses of the batch's columns."""

    index: int
    """Number of the cousin."""
    model: Any
    """MuJoCo's model."""
    start: Array
    """Initial generalised positions [nq]."""
    world_from_base: Array
    """Pose of the robot's base [4, 4]."""
    columns: StateAddresses
    """Addresses of the batch's columns in the model's state."""
    free_memory: list[StepMemory] = field(default_factory=list)
    """Memory of earlier rows for reuse."""


class ModelCache:
    """Compiled cousins of one source with one robot; the most recently used are kept."""

    def __init__(
        self,
        source: CousinSource,
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
        self._body = replace(body, asset=replace(body.asset, name=ROBOT_NAME))
        self._timestep_s = timestep_s
        self._sleep = sleep
        self._max_bytes = int(cache_mb * 1e6)
        self._folder = folder
        self._cache: OrderedDict[int, tuple[CompiledCousin, int]] = OrderedDict()
        self._digest = model_digest(self._body, timestep_s=timestep_s, sleep=sleep)
        self.compiled = 0

    def model(self, index: int) -> CompiledCousin:
        """Return a cousin's model from memory, disk or its scene; raises `EngineError`.

        A file that MuJoCo cannot read is compiled again.
        """
        entry = self._cache.pop(index, None)
        if entry is None:
            compiled = self._read(index) or self._compile(index)
            entry = (compiled, int(compiled.model.nbuffer))
        self._cache[index] = entry
        self._evict()
        return entry[0]

    def release(self, compiled: CompiledCousin, released: StepMemory) -> None:
        """Keep the memory of a row for the next row with this model."""
        entry = self._cache.get(compiled.index)
        if entry is not None and entry[0] is compiled:
            compiled.free_memory.append(released)
            self._cache[compiled.index] = (
                compiled,
                int(compiled.model.nbuffer) + sum(memory.size for memory in compiled.free_memory),
            )
            self._evict()

    def clear(self) -> None:
        """Drop all models."""
        while self._cache:
            self._drop_oldest()

    def _evict(self) -> None:
        total = sum(size for _, size in self._cache.values())
        while total > self._max_bytes and len(self._cache) > 1:
            total -= self._drop_oldest()

    def _drop_oldest(self) -> int:
        """Drop the least recently used model; return its size [bytes].

        Its free memory refers back to the model, so it is cleared at once rather than by the garbage collector.
        """
        _, (compiled, size) = self._cache.popitem(last=False)
        compiled.free_memory.clear()
        return size

    def _compile(self, index: int) -> CompiledCousin:
        scene, task = self._source.scene(index), self._source.cousin(index).task
        require_loadable(scene, engine="mujoco")
        model = compile_world(scene, self._body, world_from_base(task), timestep_s=self._timestep_s, sleep=self._sleep)
        self.compiled += 1
        self._write(index, model)
        return self._compiled(index, model)

    def _compiled(self, index: int, model: Any) -> CompiledCousin:
        note = read_note(model)
        return CompiledCousin(
            index=index,
            model=model,
            start=start_qpos(model, note),
            world_from_base=np.array(note["base"]),
            columns=state_addresses(model, note["joints"], self._slots, self._body),
        )

    def _path(self, index: int) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"{self._source.digest[-16:]}-{self._digest}-{index:06d}.mjb"

    def _read(self, index: int) -> CompiledCousin | None:
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
            partial = path.with_suffix(f".{os.getpid()}.tmp")
            mujoco.mj_saveModel(model, str(partial))
            partial.replace(path)
