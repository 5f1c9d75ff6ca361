"""Make a small pack of digital cousins of a twin, and load one of them in MuJoCo.

Run example 01 first, or give any scene folder with `--out`. The recipe keeps joints and clutter as they are and bends
each object into two shapes; without a recipe everything varies.
"""

import argparse
import tempfile
from pathlib import Path

import mujoco

import cousins

RECIPE = """
[distance]
clutter = 0
joints = 0
[shape]
variants = 2
[swap]
families = 2
"""


def show(pack: cousins.Pack) -> None:
    for index in pack.indices()[:4]:
        cousin = pack.cousin(index)
        distances = ", ".join(f"{axis} {value:.2f}" for axis, value in cousin.distances.items() if value > 0.0)
        print(f"cousin {index} ({cousin.split}): {distances or 'the twin itself'}")
    text, files = pack.mjcf(1)
    model = mujoco.MjModel.from_xml_string(text, files)
    print(f"cousin 1 in MuJoCo: {model.nbody} bodies, {model.ngeom} geoms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    scene = parser.parse_args().out
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pack"
        pack = cousins.make_pack(scene, folder, count=12, recipe=cousins.Recipe.from_toml(RECIPE), seed=7)
        print(f"{len(pack) - 1} cousins beside the twin, sha256:{pack.digest[:12]}…")
        show(cousins.open_pack(folder))
