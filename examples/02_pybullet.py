"""Load a twin in PyBullet and let it run for a second.

`structures.urdf` holds the floor and whatever else is fixed; each object has a URDF of its own.
Poses are in `scene.json`. Run example 01 first, or give any scene folder with `--out`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cousins.plugins import load_backend
from cousins.scene.scene_folder import read_scene

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder")
scene = read_scene(parser.parse_args().out)

backend = load_backend("sim.physics.backends", "pybullet", kind="engine")
with backend.build(backend.Config()) as engine:
    engine.load(scene)
    before = engine.poses()
    engine.step(round(1.0 / engine.timestep_s))
    for name, pose in engine.poses().items():
        moved_mm = 1000.0 * float(((pose[:3, 3] - before[name][:3, 3]) ** 2).sum() ** 0.5)
        print(f"{name} moved {moved_mm:.3f} mm in one second")
