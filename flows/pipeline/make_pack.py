"""From a scene to a pack of its cousins: the library once, blocks in any order by any runner, then the pack.

Blocks are kept as they are made, so a killed run goes on with the missing ones, and the pack is the same whoever made
which block.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from cousins import __version__
from cousins.codec import decode, encode, plain
from cousins.errors import InputError
from cousins.families.library import listed, load_library
from cousins.pack.manifests import PackMeta
from cousins.pack.packs import Pack, open_folder
from cousins.pack.writer import PackWriter, require_free
from cousins.scene.scene_folder import read_scene, scene_digest
from cousins.store import Store, digest_of
from cousins.vary.cousin_sampler import make_drawer
from cousins.vary.cousins import AXES
from cousins.vary.coverage import coverage
from cousins.vary.library.candidates import clutter_offers, family_offers
from cousins.vary.library.user_assets import library_offers
from cousins.vary.library.variants import Made, make_library
from cousins.vary.recipes import Recipe, parse_recipe, recipe_toml
from flows.execution.code_version import code_version
from sim.validation.affordance_proofs import Prover
from sim.validation.candidate_blocks import BLOCK, Block, Blocks

ENGINES: Final = ("mujoco", "pybullet")
"""Engines that a cousin must hold in; the first lays it to rest."""
CLUTTER: Final = 12
"""Things in a library that clutter is drawn from."""
LIBRARY: Final = "library.bin"
"""File of a made library in the store."""

Tell = Callable[[str, int, int], None]
"""Hears of progress: what is done, how many of it, of how many."""


RunBlocks = Callable[["BlockJob", Sequence[int]], Iterator[float]]
"""Makes blocks in any order and yields the seconds of each."""


@dataclass(frozen=True, kw_only=True)
class VaryOrder:
    """What to vary, and where to."""

    scene: Path
    """Scene folder of the twin."""
    output: Path
    """Pack folder to write."""
    recipe: Recipe
    """What may vary."""
    count: int
    """Number of cousins, beside the twin."""
    seed: int = 0
    """Root of all randomness."""
    name: str = "pack"
    """Short name of the pack."""
    workers: int = 2
    """Processes that make blocks."""
    library: Path | None = None
    """Folder of the user's indexed assets; None for none."""


@dataclass(frozen=True, kw_only=True)
class BlockJob:
    """What a worker needs to make a block; all of it can be sent to another process."""

    library: str
    """Path of the made library."""
    recipe: str
    """The recipe as TOML."""
    output: str
    """Pack folder."""
    key: str
    """Key of the pack that is being written."""
    seed: int
    """Root of all randomness."""
    count: int
    """Number of cousins, beside the twin."""


def vary(order: VaryOrder, run: RunBlocks, *, store: Store, tell: Tell) -> dict[str, Any]:
    """Make a pack and return what `--json` prints."""
    began = time.monotonic()
    _require_possible(order)
    twin = scene_digest(order.scene)
    with store.in_use():
        path, made = _library(order, twin, store, tell)
        job = BlockJob(
            library=str(path),
            recipe=recipe_toml(order.recipe),
            output=str(order.output.resolve()),
            key=digest_of([path.parent.name, plain(order.recipe), order.seed, order.count, code_version("sim")]),
            seed=order.seed,
            count=order.count,
        )
        writer = PackWriter(order.output, key=job.key)
        total = math.ceil((order.count + 1) / BLOCK)
        missing = [number for number in range(total) if not writer.has_block(number)]
        library_s = time.monotonic() - began
        done = total - len(missing)
        tell("blocks", done, total)
        busy = 0.0
        for seconds in run(job, missing):
            done += 1
            busy += seconds
            tell("blocks", done, total)
        digest = writer.close(made.library, _meta(order, made, twin))
    seconds = time.monotonic() - began
    pack = open_folder(order.output)
    info = pack.info()
    return {
        "pack": str(order.output),
        "digest": digest,
        "requested": order.count,
        "valid": len(pack) - 1,
        "variants": len(made.library.variants),
        "refused_variants": dict(made.refused),
        "rejected": {reason: sum(axes.values()) for reason, axes in info["rejections"].items()},
        "seconds": round(seconds, 3),
        "library_seconds": round(library_s, 3),
        "orchestration": round(seconds - library_s - busy / max(1, min(order.workers, len(missing))), 3),
        "per_second": round(order.count / max(seconds, 1e-9), 3),
        "splits": info["splits"],
        "coverage": _coverage(pack),
        "bytes": info["bytes"],
        "bytes_per_cousin": round(_cousin_bytes(pack) / len(pack), 1),
        "warnings": [*made.library.scene.warnings, *_no_task(pack)],
        "fallbacks": [*made.library.scene.fallbacks, *_no_far_split(made)],
    }


def _require_possible(order: VaryOrder) -> None:
    """Raise `InputError` on what cannot be made, before anything is."""
    if order.count < 1:
        raise InputError(f"{order.count} cousins", expected="at least 1", hint="Type -n 100.")
    if order.workers < 1:
        raise InputError(f"{order.workers} workers", expected="at least 1", hint="Type --workers 2.")
    if order.seed < 0:
        raise InputError(f"a seed of {order.seed}", expected="0 or more", hint="Type --seed 0.")
    require_free(order.output)


def make_block(job: BlockJob, number: int) -> float:
    """Make one block and keep it in the pack's folder; return the seconds that it took."""
    began = time.monotonic()
    blocks = _blocks(job)
    block = blocks.make(number)
    cousins = [cousin for cousin in block.cousins if cousin.index <= job.count]
    PackWriter(Path(job.output), key=job.key).add_block(number, cousins, rejections_of(block))
    return time.monotonic() - began


def rejections_of(block: Block) -> dict[str, dict[str, int]]:
    """Return a block's refused draws by reason and axis."""
    found: dict[str, dict[str, int]] = {}
    for key, count in block.refused.items():
        axis, reason = key.split(": ", 1)
        found.setdefault(reason, {})[axis] = count
    return found


@cache
def _blocks(job: BlockJob) -> Blocks:
    """Return what makes blocks; made once a process, and open until it ends."""
    made = decode(Made, Path(job.library).read_bytes())
    recipe = parse_recipe(job.recipe)
    return Blocks(make_drawer(made.library, recipe, seed=job.seed), engines=ENGINES).__enter__()


def _library(order: VaryOrder, twin: str, store: Store, tell: Tell) -> tuple[Path, Made]:
    key = digest_of(
        {
            "stage": "library",
            "code": code_version("sim"),
            "twin": twin,
            "recipe": plain(order.recipe),
            "seed": order.seed,
        }
        | ({} if order.library is None else {"own": [one.digest for one in listed(order.library)]})
    )
    made: list[Made] = []

    def fill(folder: Path) -> None:
        tell("library", 0, 1)
        scene = read_scene(order.scene)
        own = () if order.library is None else (library_offers(load_library(order.library)),)
        with Prover(ENGINES) as prove:
            made.append(
                make_library(
                    scene,
                    order.recipe,
                    seed=order.seed,
                    prove=prove,
                    offers=(family_offers, *own),
                    clutter=clutter_offers(CLUTTER if order.recipe.distance["clutter"] > 0.0 else 0, seed=order.seed),
                )
            )
        (folder / LIBRARY).write_bytes(encode(made[0]))

    entry = store.make(key, fill)
    tell("library", 1, 1)
    path = entry.folder / LIBRARY
    return path, made[0] if made else decode(Made, path.read_bytes())


def _meta(order: VaryOrder, made: Made, twin: str) -> PackMeta:
    scene = made.library.scene
    lineage = {"twin": twin, "recipe": digest_of(plain(order.recipe))}
    if scene.capture_digest:
        lineage["capture"] = scene.capture_digest
    return PackMeta(
        name=order.name,
        seed=order.seed,
        recipe=plain(order.recipe),
        generator=f"cousins {__version__}",
        gates={"engines": list(ENGINES), "refused_variants": dict(made.refused)},
        fallbacks=(*scene.fallbacks, *_no_far_split(made)),
        warnings=scene.warnings,
        lineage=lineage,
    )


def _no_far_split(made: Made) -> list[str]:
    if any(variant.held_out for variant in made.library.variants.values()):
        return []
    return ["no split heldout_far: with shape and swap off, or nothing that fits, no shape can be kept from training"]


def _no_task(pack: Pack) -> list[str]:
    if pack.cousin(0).task.target:
        return []
    return ["no task: nothing that a gripper of 80 mm takes stands free on structure, in reach, with a free goal near"]


def _coverage(pack: Pack) -> dict[str, float]:
    cousins = [pack.cousin(index) for index in pack.indices() if index]
    return {axis: coverage(np.array([cousin.distances[axis] for cousin in cousins])) for axis in AXES}


def _cousin_bytes(pack: Pack) -> int:
    return sum(page.blob.size for page in pack.pages_of(pack.indices()))
