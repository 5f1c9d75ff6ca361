"""A small pack of boxes to push, a policy that pushes them, and suites over both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cousins.affordances import measure_affordances
from cousins.pack.manifests import PackMeta
from cousins.pack.twins import twin_cousin
from cousins.pack.writer import write_pack
from cousins.vary.cousins import Cousin, Library, Variant
from tests.cousins.scene.scenes_for_tests import box_asset
from tests.sim.worlds_for_tests import box_scene, push_task

ROOT = Path(__file__).parents[3]
PUSHER = (ROOT / "examples/10_your_policy.py").read_text()
LAZY = "\n\ndef lazy(observations):\n    return 0.0 * act(observations)\n"
SLOW = "\n\ndef slow(observations):\n    return 0.25 * act(observations)\n"
META = PackMeta(name="boxes", seed=7, recipe={}, generator="cousins")


def boxes_library() -> Library:
    """Return a box on a table, and a longer one that may replace it."""
    scene = box_scene()
    assets = {"box": scene.objects[0].asset, "box-shape-00": box_asset("box-shape-00", (0.09, 0.06, 0.06))}
    variants = {
        key: Variant(
            key=key,
            twin_object="box",
            kind="twin" if key == "box" else "shape",
            asset=asset,
            signature=measure_affordances(asset),
            origin="scan",
            shape_distance=0.0 if key == "box" else 0.3,
        )
        for key, asset in assets.items()
    }
    return Library(scene=scene, variants=variants)


def boxes_cousin(library: Library, index: int, *, friction: float | None = None) -> Cousin:
    """Return a cousin whose box lies elsewhere, with another mass and every second time another shape."""
    twin = replace(twin_cousin(library), task=push_task())
    box = twin.objects[0]
    x, y, z = box.position_m
    moved = replace(
        box,
        position_m=(x + 0.004 * index, y - 0.006 * index, z),
        variant="box-shape-00" if index % 2 else "box",
        mass_kg=(box.mass_kg[0] * (1.0 + 0.05 * index),),
        friction=box.friction if friction is None else friction,
    )
    return replace(twin, index=index, split="train", objects=(moved,), spawn_key=(index,))


def boxes_pack(folder: Path, *, count: int = 6, friction: dict[int, float] | None = None) -> Path:
    """Write a pack of a box to push; `friction` changes that of some cousins."""
    library = boxes_library()
    cousins = [boxes_cousin(library, index, friction=(friction or {}).get(index)) for index in range(1, count + 1)]
    write_pack(folder, library, cousins, meta=META, rejections={})
    return folder


def write_suite(
    folder: Path, *, pack: str = "pack", policy: str = "policy.py", episodes: int = 24, more: str = ""
) -> Path:
    """Write a suite over the cousins 1 to 6 and its policy file; return the suite's path."""
    (folder / "policy.py").write_text(PUSHER + LAZY + SLOW)
    path = folder / "suite.toml"
    path.write_text(
        f'name = "boxes"\npack = "{pack}"\ntasks = ["push"]\nepisodes = {episodes}\n{more}\n'
        f'[policy]\npath = "{policy}"\n[cousins]\nsplit = "train"\ncount = 6\n[golden]\ncount = 1\n'
    )
    return path
