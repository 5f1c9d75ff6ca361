"""The packs of `twin_vs_cousins.py`: cousins of a scan, and cousins of a table of assets that nobody scanned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from vary import table_scene

from cousins.pack.manifests import PackMeta
from cousins.pack.packs import Pack, open_folder
from cousins.pack.writing import PackWriter
from cousins.vary.drawing import make_drawer
from cousins.vary.recipes import Recipe
from cousins.vary.variants import make_library
from sim.blocks import Blocks

SEED = 11
"""Of the cousins."""
TABLE = 3
"""Seed of the table."""


def prepare(out: Path, *, scene: Path | None, count: int) -> None:
    """Scan a scene, where none is given, and make all packs, where that was not done before."""
    if not (out / "pack" / "pack.json").is_file():
        scanned = scene or out / "scene"
        if not (scanned / "scene.json").is_file():
            _cousins("demo", "--force", "-o", str(scanned))
        _cousins("vary", str(scanned), "-n", str(count), "--seed", str(SEED), "-o", str(out / "pack"))
    if not (out / "table" / "pack.json").is_file():
        _table_pack(out / "table", seed=TABLE)


def dissimilar(out: Path) -> tuple[Pack, list[int]]:
    """Return the pack of the table, and those cousins in it whose target is like no target of the train split."""
    scanned, pack = open_folder(out / "pack"), open_folder(out / "table")
    known = {label_of(scanned, index) for index in scanned.indices("train")} | {""}
    other = pack.indices("twin") + pack.indices("train")
    return pack, [index for index in other if label_of(pack, index) not in known]


def label_of(pack: Pack, index: int) -> str:
    """Return what the target of a cousin is called; empty where it has none."""
    target = pack.cousin(index).task.target
    return next((one.asset.label for one in pack.scene(index, looks=False).objects if one.asset.name == target), "")


def _table_pack(folder: Path, *, seed: int) -> None:
    recipe = Recipe().at(0.0, axes={"layout": 0.6, "look": 0.2, "dynamics": 0.6, "task": 0.6})
    made = make_library(table_scene(seed), recipe, seed=seed, prove=lambda *_: ())
    writer = PackWriter(folder, key="dissimilar")
    with Blocks(make_drawer(made.library, recipe, seed=seed), engines=("mujoco", "pybullet")) as blocks:
        writer.add_block(0, list(blocks.make(0).cousins), {})
    writer.close(made.library, PackMeta(name="table", seed=seed, recipe={}, generator="twin_vs_cousins.py"))


def _cousins(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "flows.cli", *words], check=True, stdout=sys.stderr)
