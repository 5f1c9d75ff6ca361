"""Compilation of a scene with a robot to a MuJoCo model.

The scene is the same MJCF that a scene folder holds, without visual meshes; the robot is one more fixed object. Its
drives are velocity actuators whose gain brings the joint to speed within a step or two if the force limit allows;
higher gains would oscillate between the force limits. Joint names, home positions and the base pose are stored in the
model as text, so that a model read from disk needs neither scene nor pack.
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
from cousins.reconstruct.kinematics import joints_in_order
from cousins.scene.io.paths import body_name
from cousins.scene.robot_formats.mjcf_writer import CONTACT_TIME_S, mjcf_in_memory
from cousins.scene.scenes import PlacedAsset, Scene
from sim.bodies.body import Body
from sim.physics.engine import Contact
from sim.worlds.faults import require_apart
from sim.worlds.worlds import ROBOT_NAME

TOUCH_DISTANCE_M: Final = 0.001
"""Gap below which an object counts as touched by the robot [m]; pushed objects hop by tenths of a millimetre."""
SERVO_STEPS: Final = 1.5
"""Time in which a drive reaches its target velocity [steps]; below one step, it would oscillate at its force limit."""
FORMAT_VERSION: Final = 2
"""Version of the models on disk."""
_NOTE: Final = "cousins"
_LOG: Final = logging.getLogger(__name__)

if mujoco.get_mju_user_warning() is None:
    # Faults are reported by row; without this, each would also be written to MUJOCO_LOG.TXT in the working directory.
    mujoco.set_mju_user_warning(_LOG.debug)


def compile_world(scene: Scene, body: Body, base: Array, *, timestep_s: float, sleep: bool) -> Any:
    """Return MuJoCo's model of a scene with a robot named `ROBOT_NAME` at a base pose [4, 4]; raises `EngineError`."""
    scene_with_body = replace(
        scene,
        look=None,
        relations=(),
        objects=(*scene.objects, PlacedAsset(asset=body.asset, world_from_asset=base, fixed=True)),
    )
    text, files = mjcf_in_memory(scene_with_body, visuals=False)
    try:
        spec = mujoco.MjSpec.from_string(text, assets=files)
        _write_note(spec, scene_with_body, base, body)
        spec.option.timestep = timestep_s
        _add_drives(spec, body)
        model = spec.compile()
    except ValueError as error:
        raise EngineError(f"the scene was refused: {error}", engine="mujoco") from error
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
    if sleep:
        model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP
    _tune_drives(model, body, timestep_s)
    require_apart(contacts_of(model, mujoco.MjData(model), start_qpos(model, read_note(model))), engine="mujoco")
    return model


def contacts_of(model: Any, data: Any, qpos: Array) -> list[Contact]:
    """Return the contacts at generalised positions [nq], by names of objects; `data` is overwritten."""
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


def _write_note(spec: Any, scene: Scene, base: Array, body: Body) -> None:
    joints = {
        placed.asset.name: [
            f"{placed.asset.name}__{joint.name}" for joint in joints_in_order(placed.asset) if joint.kind != "fixed"
        ]
        for placed in scene.objects
    }
    home = {f"{ROBOT_NAME}__{drive.joint}": drive.home for drive in body.drives}
    note = {"joints": joints, "home": home, "base": base.tolist()}
    spec.add_text(name=_NOTE, data=json.dumps(note))


def read_note(model: Any) -> dict[str, Any]:
    """Return the note in the model's text: joint names by object, home positions of the drives, pose of the base."""
    note: dict[str, Any] = json.loads(model.text_data[: model.text_size[0] - 1])
    return note


def start_qpos(model: Any, note: dict[str, Any]) -> Array:
    """Return the generalised positions [nq] with all joints at 0 and the drives at home."""
    start: Array = model.qpos0.copy()
    for name, home in note["home"].items():
        start[model.joint(name).qposadr[0]] = home
    return start


def _add_drives(spec: Any, body: Body) -> None:
    for link in body.asset.links:
        link_body = spec.body(body_name(body.asset, link.name))
        link_body.gravcomp = 1.0
        for geom in link_body.geoms:
            geom.gap = TOUCH_DISTANCE_M
    for drive in body.drives:
        joint = spec.joint(f"{ROBOT_NAME}__{drive.joint}")
        joint.armature = drive.armature
        actuator = spec.add_actuator(
            name=joint.name,
            target=joint.name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            forcelimited=True,
            forcerange=[-drive.max_force, drive.max_force],
            ctrllimited=True,
            ctrlrange=[-drive.max_speed, drive.max_speed],
        )
        actuator.set_to_velocity(kv=1.0)
    for finger in body.fingers[1:] if body.fingers_linked else ():
        coupling = spec.add_equality(
            type=mujoco.mjtEq.mjEQ_JOINT,
            name1=f"{ROBOT_NAME}__{finger}",
            name2=f"{ROBOT_NAME}__{body.fingers[0]}",
            solref=[CONTACT_TIME_S, 1.0],
        )
        coupling.data[:5] = [0.0, 1.0, 0.0, 0.0, 0.0]


def _tune_drives(model: Any, body: Body, timestep_s: float) -> None:
    """Set the gain of each drive from the inverse joint-space inertia's diagonal at the home position."""
    data = mujoco.MjData(model)
    for drive in body.drives:
        data.qpos[model.joint(f"{ROBOT_NAME}__{drive.joint}").qposadr[0]] = drive.home
    mujoco.mj_forward(model, data)
    inverse = np.eye(model.nv)
    mujoco.mj_solveM(model, data, inverse, np.eye(model.nv))
    for number, drive in enumerate(body.drives):
        dof = model.joint(f"{ROBOT_NAME}__{drive.joint}").dofadr[0]
        gain = 1.0 / float(inverse[dof, dof]) / (SERVO_STEPS * timestep_s)
        model.actuator_gainprm[number, 0] = gain
        model.actuator_biasprm[number, 2] = -gain


def model_digest(body: Body, *, timestep_s: float, sleep: bool) -> str:
    """Return a digest of everything in a model besides the cousin: robot, options, engine version."""
    scene = Scene(
        name="alone",
        structures=(),
        objects=(PlacedAsset(asset=body.asset, world_from_asset=np.eye(4), fixed=True),),
        relations=(),
        scale=Scale(source="assumed", error=0.0),
    )
    text, files = mjcf_in_memory(scene, visuals=False)
    digest = hashlib.sha256(text.encode())
    for path, data in sorted(files.items()):
        digest.update(path.encode() + b"\0" + data)
    options = [
        body.drives,
        body.fingers,
        body.fingers_linked,
        timestep_s,
        sleep,
        SERVO_STEPS,
        TOUCH_DISTANCE_M,
        FORMAT_VERSION,
        mujoco.__version__,
    ]
    digest.update(repr(options).encode())
    return digest.hexdigest()[:16]
