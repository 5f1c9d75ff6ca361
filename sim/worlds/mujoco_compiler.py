"""A scene with a body in it as MuJoCo's model.

The scene is the very MJCF that a scene folder ships, without the looks; the body is one more fixed object of it. Its
drives are velocity actuators whose gain brings the joint to speed within a step or two where the force allows: higher
gains would rattle between the force limits. What the model's names do not tell is kept in it as text, so a model read
from disk needs neither scene nor pack.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from typing import Any, Final

import mujoco
import numpy as np

from cousins.capture.captures import Scale
from cousins.errors import EngineError
from cousins.geometry import Array
from cousins.scene.io.paths import body_name
from cousins.scene.kinematics import joints_in_order
from cousins.scene.robot_formats.mjcf_writer import CONTACT_TIME_S, mjcf_in_memory
from cousins.scene.scenes import Placed, Scene
from sim.bodies.body import Body
from sim.physics.engine import Contact
from sim.worlds.faults import require_apart
from sim.worlds.worlds import BODY

TOUCH_M: Final = 0.001
"""What is nearer to the body than this counts as touched: what is pushed hops by tenths of a millimetre [m]."""
SERVO_STEPS: Final = 1.5
"""Time in which a drive reaches its speed [steps]; under one step, it would rattle at its force limit."""
LAYOUT: Final = 2
"""Version of what models on disk hold."""
_NOTE: Final = "cousins"
_LOG: Final = logging.getLogger(__name__)

if mujoco.get_mju_user_warning() is None:
    # Faults are told by row; without this, each would also be written to MUJOCO_LOG.TXT where the user stands.
    mujoco.set_mju_user_warning(_LOG.debug)


def compile_world(scene: Scene, body: Body, base: Array, *, timestep_s: float, sleep: bool) -> Any:
    """Return a scene with a body named `BODY` as MuJoCo's model; raises `EngineError`."""
    whole = replace(
        scene,
        look=None,
        relations=(),
        objects=(*scene.objects, Placed(asset=body.asset, world_from_asset=base, fixed=True)),
    )
    text, files = mjcf_in_memory(whole, visuals=False)
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
    require_apart(contacts_of(model, mujoco.MjData(model), start_of(model, note_of(model))), engine="mujoco")
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


def note_of(model: Any) -> dict[str, Any]:
    """Return what the model's text tells: names of joints, homes of drives, where the body stands."""
    found: dict[str, Any] = json.loads(model.text_data[: model.text_size[0] - 1])
    return found


def start_of(model: Any, note: dict[str, Any]) -> Array:
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


def digest_of(body: Body, *, timestep_s: float, sleep: bool) -> str:
    """Tell apart all that goes into a model besides the cousin: body, options, engine and its version."""
    alone = Scene(
        name="alone",
        structures=(),
        objects=(Placed(asset=body.asset, world_from_asset=np.eye(4), fixed=True),),
        relations=(),
        scale=Scale(source="assumed", error=0.0),
    )
    text, files = mjcf_in_memory(alone, visuals=False)
    seen = hashlib.sha256(text.encode())
    for path, data in sorted(files.items()):
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
