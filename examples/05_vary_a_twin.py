"""Make a small pack of digital cousins of a twin from Python, and load one of them in MuJoCo.

Run example 01 first, or give any scene folder with `--out`. The recipe keeps joints and tasks as they are and bends
each object into two shapes; `cousins vary SCENE -n 1000 -o PACK` does the same with everything on.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import mujoco

from cousins.pack.packs import open_folder
from cousins.store import Store
from cousins.vary.distributions import Constant
from cousins.vary.recipes import Recipe, ShapeRange, SwapRange
from flows.pipeline.block_runners import run_blocks
from flows.pipeline.make_pack import VaryOrder, vary

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    scene = parser.parse_args().out

    recipe = replace(
        Recipe().at_distance(0.6, axes={"clutter": 0.0, "joints": 0.0}),
        shape=ShapeRange(variants=Constant(value=2)),
        swap=SwapRange(families=Constant(value=2)),
    )
    with tempfile.TemporaryDirectory() as scratch:
        order = VaryOrder(scene=scene, output=Path(scratch) / "pack", recipe=recipe, count=12, seed=7)
        result = vary(
            order, partial(run_blocks, "local", workers=2), store=Store(Path(scratch) / "store"), tell=lambda *_: None
        )
        print(f"{result['valid']} cousins, sha256:{result['digest'][:12]}…, refused draws: {result['rejected']}")

        pack = open_folder(order.output)
        for index in pack.indices()[:4]:
            cousin = pack.cousin(index)
            far = ", ".join(f"{axis} {value:.2f}" for axis, value in cousin.distances.items() if value > 0.0)
            print(f"cousin {index} ({cousin.split}): {far or 'the twin itself'}")
        text, files = pack.mjcf(1)
        model = mujoco.MjModel.from_xml_string(text, files)
        print(f"cousin 1 in MuJoCo: {model.nbody} bodies, {model.ngeom} geoms")
