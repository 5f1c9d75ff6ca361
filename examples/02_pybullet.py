"""Load a twin in PyBullet and let it run for a second.

`structures.urdf` holds the floor and whatever else is fixed; each object has a URDF of its own, and its pose is in the
scene. Run example 01 first, or give any scene folder with `--out`.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

import cousins

try:
    import pybullet
except ModuleNotFoundError:
    raise SystemExit("PyBullet is not installed: pip install 'cousins[sim]' on Python 3.11, or example 03") from None

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder")
folder = parser.parse_args().out

pybullet.connect(pybullet.DIRECT)
pybullet.setGravity(0.0, 0.0, -9.81)
pybullet.loadURDF(str(folder / "structures.urdf"), useFixedBase=True)
bodies = {}
for placed in cousins.Scene.load(folder).objects:
    name, pose = placed.asset.name, placed.world_from_asset
    quat_xyzw = Rotation.from_matrix(pose[:3, :3]).as_quat()
    path = folder / "assets" / name / "asset.urdf"
    bodies[name] = pybullet.loadURDF(str(path), pose[:3, 3], quat_xyzw, useFixedBase=placed.fixed)

start = {name: pybullet.getBasePositionAndOrientation(body)[0] for name, body in bodies.items()}
for _ in range(240):
    pybullet.stepSimulation()
for name, body in bodies.items():
    position = pybullet.getBasePositionAndOrientation(body)[0]
    print(f"{name} moved {1000.0 * np.linalg.norm(np.subtract(position, start[name])):.2f} mm in one second")
