"""A cousin with a body in it as a compiled MuJoCo model; kept in memory and, if wished, on disk.

The scene is the very MJCF that a scene folder ships, without the looks; the body is one more fixed object of it. Its
drives are velocity actuators whose gain brings the joint to speed within a step or two where the force allows: higher
gains would rattle between the force limits. What the model's names do not tell is kept in it as text, so a model read
from disk needs neither scene nor pack.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import mujoco
import numpy as np

from cousins.capture.captures import Scale
from cousins.errors import EngineError
from cousins.geometry import Array
from cousins.scene.kinematics import joints_in_order
from cousins.scene.meshfiles import mesh_files
from cousins.scene.mjcf import CONTACT_TIME_S, mjcf_file
from cousins.scene.names import body_name
from cousins.scene.scenes import Placed, Scene
from sim.bodies.body import Body
from sim.engine import Contact, require_loadable
from sim.worlds.faults import require_apart
from sim.worlds.looks import world_from_base
from sim.worlds.mujoco_columns import Columns, columns_of
from sim.worlds.worlds import BODY, Slots, Source

TOUCH_M: Final = 0.001
"""What is nearer to the body than this counts as touched: what is pushed hops by tenths of a millimetre [m]."""
SERVO_STEPS: Final = 1.5
"""Time in which a drive reaches its speed [steps]; under one step, it would rattle at its force limit."""
LAYOUT: Final = 2
"""Version of what models on disk hold."""
_NOTE: Final = "cousins"
_FILE: Final = re.compile(r' file="([^"]+)"')


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
        self._digest = _digest_of(self._body, timestep_s=timestep_s, sleep=sleep)
        self.compiled = 0

    def model(self, index: int) -> Compiled:
        """Return a cousin's model, from memory, disk or its scene; raises `EngineError`."""
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
        self._kept.clear()

    def _forget(self) -> None:
        total = sum(size for _, size in self._kept.values())
        while total > self._most and len(self._kept) > 1:
            _, (_, size) = self._kept.popitem(last=False)
            total -= size

    def _make(self, index: int) -> Compiled:
        scene, task = self._source.scene(index), self._source.cousin(index).task
        require_loadable(scene, engine="mujoco")
        model = compile_world(scene, self._body, world_from_base(task), timestep_s=self._timestep_s, sleep=self._sleep)
        self.compiled += 1
        self._write(index, model)
        return self._compiled(index, model)

    def _compiled(self, index: int, model: Any) -> Compiled:
        note = _note_of(model)
        return Compiled(
            index=index,
            model=model,
            start=_start_of(model, note),
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
        return self._compiled(index, mujoco.MjModel.from_binary_path(str(path)))

    def _write(self, index: int, model: Any) -> None:
        path = self._path(index)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = path.with_suffix(f".{os.getpid()}.tmp")
            mujoco.mj_saveModel(model, str(whole))
            whole.replace(path)


def compile_world(scene: Scene, body: Body, base: Array, *, timestep_s: float, sleep: bool) -> Any:
    """Return a scene with a body named `BODY` as MuJoCo's model; raises `EngineError`."""
    whole = replace(
        scene,
        look=None,
        relations=(),
        objects=(*scene.objects, Placed(asset=body.asset, world_from_asset=base, fixed=True)),
    )
    files = {_flat(path): data for path, data in mesh_files(whole, visuals=False).items()}
    text = _FILE.sub(lambda found: f' file="{_flat(found[1])}"', mjcf_file(whole, visuals=False).decode())
    try:
        spec = mujoco.MjSpec.from_string(text, assets=files)
        _add_note(spec, whole, base, body)
        spec.option.timestep = timestep_s
        _add_drives(spec, body)
        model = spec.compile()
    except ValueError as error:
        raise EngineError(f"the scene was refused: {error}", engine="mujoco") from error
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
    if sleep:
        model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP
    _tune_drives(model, body, timestep_s)
    require_apart(contacts_of(model, mujoco.MjData(model), _start_of(model, _note_of(model))), engine="mujoco")
    return model


def contacts_of(model: Any, data: Any, qpos: Array) -> list[Contact]:
    """Return the contacts at positions [nq], by the names of whole objects; `data` is overwritten."""
    mujoco.mj_resetData(model, data)
    data.qpos[:] = qpos
    mujoco.mj_fwdPosition(model, data)
    roots = model.body_rootid[model.geom_bodyid[data.contact.geom]]
    rows = zip(roots.tolist(), data.contact.dist.tolist(), data.contact.frame.tolist(), strict=True)
    return [
        Contact(
            first=str(model.body(first).name),
            second=str(model.body(second).name),
            depth_m=-distance,
            normal=(-frame[0], -frame[1], -frame[2]),
        )
        for (first, second), distance, frame in rows
        if distance <= 0.0
    ]


def _add_note(spec: Any, scene: Scene, base: Array, body: Body) -> None:
    joints = {
        placed.asset.name: [
            f"{placed.asset.name}__{joint.name}" for joint in joints_in_order(placed.asset) if joint.kind != "fixed"
        ]
        for placed in scene.objects
    }
    home = {f"{BODY}__{drive.joint}": drive.home for drive in body.drives}
    note = {"joints": joints, "home": home, "base": base.tolist()}
    spec.add_text(name=_NOTE, data=json.dumps(note))


def _note_of(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(model.text_data[: model.text_size[0] - 1])
    return found


def _start_of(model: Any, note: dict[str, Any]) -> Array:
    """Return positions with all joints at 0 and the drives at home [nq]."""
    start: Array = model.qpos0.copy()
    for name, home in note["home"].items():
        start[model.joint(name).qposadr[0]] = home
    return start


def _add_drives(spec: Any, body: Body) -> None:
    for link in body.asset.links:
        made = spec.body(body_name(body.asset, link.name))
        made.gravcomp = 1.0
        for geom in made.geoms:
            geom.gap = TOUCH_M
    for drive in body.drives:
        joint = spec.joint(f"{BODY}__{drive.joint}")
        joint.armature = drive.armature
        actuator = spec.add_actuator(
            name=joint.name,
            target=joint.name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            forcelimited=True,
            forcerange=[-drive.most_force, drive.most_force],
            ctrllimited=True,
            ctrlrange=[-drive.most_speed, drive.most_speed],
        )
        actuator.set_to_velocity(kv=1.0)
    for finger in body.fingers[1:] if body.fingers_linked else ():
        gear = spec.add_equality(
            type=mujoco.mjtEq.mjEQ_JOINT,
            name1=f"{BODY}__{finger}",
            name2=f"{BODY}__{body.fingers[0]}",
            solref=[CONTACT_TIME_S, 1.0],
        )
        gear.data[:5] = [0.0, 1.0, 0.0, 0.0, 0.0]


def _tune_drives(model: Any, body: Body, timestep_s: float) -> None:
    """Give each drive the gain that fits what its joint feels at home: one over the diagonal of the inverse inertia."""
    data = mujoco.MjData(model)
    for drive in body.drives:
        data.qpos[model.joint(f"{BODY}__{drive.joint}").qposadr[0]] = drive.home
    mujoco.mj_forward(model, data)
    inverse = np.eye(model.nv)
    mujoco.mj_solveM(model, data, inverse, np.eye(model.nv))
    for number, drive in enumerate(body.drives):
        dof = model.joint(f"{BODY}__{drive.joint}").dofadr[0]
        gain = 1.0 / float(inverse[dof, dof]) / (SERVO_STEPS * timestep_s)
        model.actuator_gainprm[number, 0] = gain
        model.actuator_biasprm[number, 2] = -gain


def _digest_of(body: Body, *, timestep_s: float, sleep: bool) -> str:
    """Tell apart all that goes into a model besides the cousin: body, options, engine and its version."""
    alone = Scene(
        name="alone",
        structures=(),
        objects=(Placed(asset=body.asset, world_from_asset=np.eye(4), fixed=True),),
        relations=(),
        scale=Scale(source="assumed", error=0.0),
    )
    seen = hashlib.sha256(mjcf_file(alone, visuals=False))
    for path, data in sorted(mesh_files(alone, visuals=False).items()):
        seen.update(path.encode() + b"\0" + data)
    told = [
        body.drives,
        body.fingers,
        body.fingers_linked,
        timestep_s,
        sleep,
        SERVO_STEPS,
        TOUCH_M,
        LAYOUT,
        mujoco.__version__,
    ]
    seen.update(repr(told).encode())
    return seen.hexdigest()[:16]


def _flat(path: str) -> str:
    return path.replace("/", "__")
