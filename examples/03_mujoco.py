"""Load a twin's compiled MJCF in MuJoCo, with nothing of ours in between.

`scene.xml` is a plain MuJoCo model: any program that reads MJCF can use it. Run example 01 first, or give any
scene folder with `--out`.
"""

import argparse
from pathlib import Path

import mujoco

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder")
folder = parser.parse_args().out

model = mujoco.MjModel.from_xml_path(str(folder / "scene.xml"))
data = mujoco.MjData(model)
while data.time < 1.0:
    mujoco.mj_step(model, data)
for body in range(1, model.nbody):
    x, y, z = data.xpos[body]
    print(f"{model.body(body).name}: {model.body_mass[body]:.3f} kg at ({x:.3f}, {y:.3f}, {z:.3f}) m")
