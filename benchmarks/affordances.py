"""Accuracy of measured affordances: grasps are closed and lifted, balls dropped into hollows, in a physics engine.

Every instance of every family: a gripper of two coupled fingers takes the first grasps of its signature, closes with
40 N each and lifts by 10 cm; the grasp is correct where the lowest point of the object is then 2 cm above the floor,
at any tilt. A ball of 95 % of the measured opening is released over each hollow and must come to rest below half of its
depth, and a puck of half the level top's radius must stay on it, both in both engines.

    python benchmarks/affordances.py [--quick] [--json]
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from cousins.affordances import Grasp, Signature, measure_affordances
from cousins.affordances.grasps import FINGER_SIZE_M, MAX_OPENING_M, OPEN_GAP_M, TIP_DEPTH_M
from cousins.affordances.hulls import hulls_of
from cousins.families.family import family_names, load_family
from cousins.geometry import quat_wxyz_from_rotation
from cousins.plugins import load_backend
from cousins.reconstruct.assets import Asset
from cousins.scene.robot_formats.mjcf_writer import write_mjcf
from program import program_parser, run_program
from rows import Row, at_least, at_most, entry
from sim.physics.simple_assets import cylinder_piece, make_scene, place, rigid_asset, sphere_piece

GRIP_N = 40.0
"""Force of a finger: the Panda holds 70 N [N]."""
PAYLOAD_KG = 3.0
"""Heavier objects are not tried: the payload of the Panda [kg]."""
LIFT_M = 0.1
"""Height by which the hand is lifted [m]."""
CLEAR_M = 0.02
"""An object whose lowest point is this far above the floor at the end was lifted [m]."""
TRIED = 3
"""Grasps that are tried on each instance, best first."""
BALL_SHARE = 0.95
"""Diameter of the ball over the measured opening."""
ROWS = (
    Row(
        quantity="families' first grasps that a gripper closes on and lifts clear of the floor, MuJoCo",
        value=entry("grasps_lifted"),
    ),
    Row(
        quantity="balls of 95 % of the measured opening that come to rest inside, both engines",
        bar="all",
        value=entry("balls_held"),
        met=at_least(1.0),
    ),
    Row(
        quantity="pucks of half the radius that stay on the measured level top, both engines",
        bar="all",
        value=entry("pucks_carried"),
        met=at_least(1.0),
    ),
    Row(
        quantity="a signature, median of 29 families [CPU ms]",
        bar="≤ 200",
        value=entry("signature_ms", "median"),
        met=at_most(200.0),
    ),
)


@dataclass
class Count:
    """Successes among trials."""

    good: int = 0
    trials: int = 0

    def add(self, *, good: bool) -> None:
        """Add one trial."""
        self.good += int(good)
        self.trials += 1

    @property
    def share(self) -> float | None:
        """Share of successes; None where there was no trial."""
        return self.good / self.trials if self.trials else None


def lifted(asset: Asset, grasp: Grasp) -> bool:
    """Return whether a gripper that closes on a grasp lifts an asset off the floor."""
    floor = float(hulls_of(asset).low[2])
    with tempfile.TemporaryDirectory() as folder:
        write_mjcf(make_scene(place(asset, 0.0, 0.0, -floor)), Path(folder), visuals=False)
        spec = mujoco.MjSpec.from_file(str(Path(folder) / "scene.xml"))
        _add_gripper(spec, grasp, floor)
        model = spec.compile()
    data = mujoco.MjData(model)
    body = model.body(asset.name).id
    points = np.concatenate(hulls_of(asset).points)
    for step in range(round(2.0 / model.opt.timestep)):
        time_s = step * model.opt.timestep
        data.ctrl[:] = [LIFT_M * float(np.clip(time_s - 0.5, 0.0, 1.0)), GRIP_N, GRIP_N]
        mujoco.mj_step(model, data)
    heights = points @ data.xmat[body].reshape(3, 3)[2] + data.xpos[body, 2]
    return bool(heights.min() > CLEAR_M)


def _add_gripper(spec: Any, grasp: Grasp, floor: float) -> None:
    axis, approach = np.array(grasp.axis), np.array(grasp.approach)
    frame = np.stack([axis, np.cross(approach, axis), approach], axis=1)
    center = np.array(grasp.center_m) - [0.0, 0.0, floor]
    tip = min(TIP_DEPTH_M, center[2]) if approach[2] < -0.5 else TIP_DEPTH_M
    thick, wide, long = FINGER_SIZE_M
    hand = spec.worldbody.add_body(
        name="hand", pos=center, quat=quat_wxyz_from_rotation(frame), mass=1.0, inertia=[1e-2] * 3, gravcomp=1.0
    )
    hand.explicitinertial = True
    up = frame.T @ [0.0, 0.0, 1.0]
    hand.add_joint(name="lift", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=up, damping=200.0)
    _drive(spec, "lift", gain=2e4)
    for side in (-1.0, 1.0):
        gap = min(OPEN_GAP_M, (MAX_OPENING_M - grasp.width_m) / 2)
        aside = side * (grasp.width_m / 2 + gap + thick / 2)
        finger = hand.add_body(
            name=f"finger{side:+.0f}", pos=[aside, 0.0, tip - long / 2], mass=0.05, inertia=[1e-5] * 3, gravcomp=1.0
        )
        finger.explicitinertial = True
        finger.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[thick / 2, wide / 2, long / 2],
            friction=[0.8, 0.01, 1e-4],
            condim=4,
            solref=[0.005, 1.0],
        )
        finger.add_joint(
            name=f"close{side:+.0f}",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[-side, 0.0, 0.0],
            damping=20.0,
            armature=0.1,
        )
        _drive(spec, f"close{side:+.0f}", gain=None)
    couple = spec.add_equality(type=mujoco.mjtEq.mjEQ_JOINT, name1="close-1", name2="close+1", solref=[0.004, 1.0])
    couple.data[:2] = [0.0, 1.0]


def _drive(spec: Any, joint: str, *, gain: float | None) -> None:
    """Add a position servo with a gain, or a plain force where there is none."""
    servo = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    servo.gainprm[0] = 1.0 if gain is None else gain
    if gain is not None:
        servo.biastype = mujoco.mjtBias.mjBIAS_AFFINE
        servo.biasprm[1] = -gain


def holds(asset: Asset, signature: Signature, engine_name: str) -> bool:
    """Return whether a ball of nearly the measured opening comes to rest below half of the hollow's depth."""
    assert signature.cavity is not None
    radius = BALL_SHARE * signature.cavity.opening_m / 2
    x, y, rim = signature.cavity.center_m
    floor = float(hulls_of(asset).low[2])
    ball = rigid_asset("ball", [sphere_piece(radius)], mass_kg=0.05 * asset.links[0].mass_kg.value)
    module = load_backend("sim.physics.backends", engine_name, kind="engine")
    with module.build(module.Config()) as engine:
        engine.load(make_scene(place(asset, 0.0, 0.0, -floor), place(ball, x, y, rim - floor + radius + 0.003)))
        engine.step(round(1.5 / engine.timestep_s))
        poses = engine.poses()
    sunk = (np.linalg.inv(poses[asset.name]) @ poses["ball"])[2, 3] - radius
    return bool(sunk <= rim - 0.5 * signature.cavity.depth_m + 1e-3)


def carries(asset: Asset, signature: Signature, engine_name: str) -> bool:
    """Return whether a puck of half the radius stays within 5 mm on the level top, and the asset where it was."""
    assert signature.support is not None
    radius, height = 0.5 * signature.support.radius_m, 0.02
    x, y, top = signature.support.center_m
    floor = float(hulls_of(asset).low[2])
    puck = rigid_asset("puck", [cylinder_piece(radius, height)], mass_kg=0.02 * asset.links[0].mass_kg.value)
    module = load_backend("sim.physics.backends", engine_name, kind="engine")
    with module.build(module.Config()) as engine:
        engine.load(make_scene(place(asset, 0.0, 0.0, -floor), place(puck, x, y, top - floor + height / 2 + 0.001)))
        engine.step(round(1.0 / engine.timestep_s))
        poses = engine.poses()
    goal = np.array([x, y, top - floor + height / 2])
    return bool(
        np.linalg.norm(poses["puck"][:3, 3] - goal) < 0.005 and np.linalg.norm(poses[asset.name][:2, 3]) < 0.005
    )


def measure(*, seeds: int) -> dict[str, Any]:
    """Return the shares over all families, and by family."""
    grasps, hollows, tops, times, by_family = Count(), Count(), Count(), [], {}
    for name in family_names():
        family_grasps, family_hollows, family_tops, heavy = Count(), Count(), Count(), 0
        for seed in range(seeds):
            object_family = load_family(name)
            rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(seed,)))
            asset = object_family.build(object_family.sample(rng), name=name, rng=rng, texture_px=0)
            start = time.process_time()
            signature = measure_affordances(asset)
            times.append(time.process_time() - start)
            mass = sum(link.mass_kg.value for link in asset.links)
            heavy += int(mass > PAYLOAD_KG)
            for grasp in signature.grasps[:TRIED] if mass <= PAYLOAD_KG else ():
                family_grasps.add(good=lifted(asset, grasp))
            for engine in ("mujoco", "pybullet") if signature.cavity else ():
                family_hollows.add(good=holds(asset, signature, engine))
            for engine in ("mujoco", "pybullet") if signature.support else ():
                family_tops.add(good=carries(asset, signature, engine))
        for total, part in ((grasps, family_grasps), (hollows, family_hollows), (tops, family_tops)):
            total.good, total.trials = total.good + part.good, total.trials + part.trials
        by_family[name] = {
            "lifted": family_grasps.good,
            "tried": family_grasps.trials,
            "held": family_hollows.good,
            "balls": family_hollows.trials,
            "carried": family_tops.good,
            "pucks": family_tops.trials,
            "heavy": heavy,
        }
    return {
        "families": len(by_family),
        "grasps_lifted": grasps.share,
        "grasps_tried": grasps.trials,
        "balls_held": hollows.share,
        "balls_dropped": hollows.trials,
        "pucks_carried": tops.share,
        "pucks_laid": tops.trials,
        "signature_ms": {
            "median": round(1e3 * float(np.median(times)), 1),
            "most": round(1e3 * float(np.max(times)), 1),
        },
        "by_family": by_family,
    }


def main() -> None:
    parser = program_parser(__doc__, quick="one instance of each family instead of five")
    run_program(parser, lambda arguments: measure(seeds=1 if arguments.quick else 5), show=_show)


def _show(result: dict[str, Any]) -> None:
    for name, row in result["by_family"].items():
        print(
            f"{name:<14} lifted {row['lifted']} of {row['tried']}, balls {row['held']} of {row['balls']}, "
            f"pucks {row['carried']} of {row['pucks']}"
        )
    print({key: value for key, value in result.items() if key != "by_family"})


if __name__ == "__main__":
    main()
