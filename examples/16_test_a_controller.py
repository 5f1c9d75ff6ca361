"""Test a controller of your own, in plain MuJoCo, in cousins of a pack: a pytest file that CI can run.

The fixture `cousin` comes with Cousins' pytest plugin; the test runs once for each cousin that the marker selects. The
controller here lifts the first free object by a force, and must hold it whatever its mass and shape:

    pytest examples/16_test_a_controller.py --cousins-pack PACK

Run as a program, it makes a pack of the twin in `--out`, or takes the one in `--pack`, and starts pytest.
"""

import argparse
import tempfile
from pathlib import Path

import mujoco
import numpy as np
import pytest

import cousins

LIFT_M = 0.05
"""Height by which the object is lifted [m]."""


def lifting_force(mass_kg: float, height_m: float, speed_m_s: float, target_m: float) -> float:
    """Return the upward force of the controller [N]: weight, stiffness and damping."""
    return mass_kg * (9.81 + 100.0 * (target_m - height_m) - 20.0 * speed_m_s)


@pytest.mark.cousins(split="train", count=3)
def test_the_controller_lifts_the_first_object(cousin) -> None:
    text, files = cousin.mjcf()
    model = mujoco.MjModel.from_xml_string(text, files)
    data = mujoco.MjData(model)
    joint = int(np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_FREE)[0])
    body, height, speed = model.jnt_bodyid[joint], model.jnt_qposadr[joint] + 2, model.jnt_dofadr[joint] + 2
    target_m = data.qpos[height] + LIFT_M
    while data.time < 2.0:
        force = lifting_force(model.body_subtreemass[body], data.qpos[height], data.qvel[speed], target_m)
        data.xfrc_applied[body, 2] = force
        mujoco.mj_step(model, data)
    assert abs(data.qpos[height] - target_m) < 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pack = arguments.pack or Path(scratch) / "pack"
        if arguments.pack is None:
            cousins.make_pack(arguments.out, pack, count=8, seed=7)
        plugins = ["-p", "flows.pytest_plugin", "-p", "no:cacheprovider"]
        raise SystemExit(pytest.main([__file__, "--cousins-pack", str(pack), *plugins]))


if __name__ == "__main__":
    main()
