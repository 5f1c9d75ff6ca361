"""Step cousins as a Gymnasium environment: rows side by side, a cousin in each, and after an episode the next.

Give a pack folder with `--pack`, or a twin's scene folder with `--out` (example 01 writes one): a small pack is made
of it first. `cousins tasks PACK` tells which tasks a pack affords.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import gymnasium as gym

import sim  # registers the environments
from cousins.store import Store
from cousins.vary.distributions import Constant
from cousins.vary.recipes import Recipe, ShapeRange, SwapRange
from flows.pipeline.block_runners import run_blocks
from flows.pipeline.make_pack import VaryOrder, vary

STEPS = 300


def small_pack(scene: Path, scratch: Path) -> Path:
    """Make a pack of eight cousins, as example 05 does."""
    recipe = replace(
        Recipe().at_distance(0.5, axes={"clutter": 0.0, "joints": 0.0}),
        shape=ShapeRange(variants=Constant(value=1)),
        swap=SwapRange(families=Constant(value=1)),
    )
    order = VaryOrder(scene=scene, output=scratch / "pack", recipe=recipe, count=8, seed=7)
    vary(order, partial(run_blocks, "local", workers=2), store=Store(scratch / "store"), tell=lambda *_: None)
    return order.output


def play(pack: Path) -> None:
    envs = gym.make_vec("cousins/Push-v0", num_envs=4, pack=pack, split="train")
    seen, info = envs.reset(seed=0)
    print(f"{sim.__name__}: {seen.shape} observations, {envs.action_space.shape} actions, cousins {info['cousin']}")
    envs.action_space.seed(0)
    for _ in range(STEPS):
        _, _, terminated, truncated, info = envs.step(envs.action_space.sample())
        for row in (terminated | truncated).nonzero()[0]:
            told = info["metrics"]
            reward, done, success = (told[key][row] for key in ("return", "progress", "success_at_end"))
            print(f"cousin {info['cousin'][row]}: return {reward:.1f}, progress {done:.0%}, success {success}")
    envs.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        play(arguments.pack or small_pack(arguments.out, Path(scratch)))
