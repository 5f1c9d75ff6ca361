"""From a scene to a pack of its cousins: the library once, blocks in any order by any runner, then the pack.

Blocks are kept as they are made, so a killed run goes on with the missing ones, and the pack does not depend on
which process made which block.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from cousins import __version__
from cousins.codec import decode, encode, plain
from cousins.disk_errors import require_room
from cousins.errors import InputError
from cousins.families.library import list_assets, load_library
from cousins.pack.manifests import PackMeta
from cousins.pack.packs import MANIFEST, Pack, open_folder
from cousins.pack.writer import WRITING, PackWriter, require_free
from cousins.publishing import claimed_folder
from cousins.scene.scene_folder import read_scene, scene_digest
from cousins.store import Store, json_digest
from cousins.vary.cousin_sampler import make_cousin_sampler
from cousins.vary.cousins import AXES
from cousins.vary.coverage import coverage
from cousins.vary.library.candidates import clutter_candidates, family_candidates
from cousins.vary.library.user_assets import library_candidates
from cousins.vary.library.variants import LibraryBuild, make_library
from cousins.vary.recipes import Recipe, parse_recipe, recipe_toml
from flows.execution.code_version import code_version
from flows.execution.progress import CountCallback
from sim.physics.installed import require_engines, single_engine_fallbacks
from sim.validation.affordance_proofs import AffordanceProver
from sim.validation.candidate_blocks import BLOCK_SIZE, Block, BlockBuilder

CLUTTER: Final = 12
"""Things in a library that clutter is drawn from."""
LIBRARY: Final = "library.bin"
"""File of a made library in the store."""
MAX_COUNT: Final = 1_000_000
"""Most cousins of one pack: some days of work, and a manifest that is still read at once."""
MAX_WORKERS: Final = 256
"""Most processes: each takes some 300 MB."""
GENERATOR: Final = f"cousins {__version__}"
"""Program and version that a pack names as its maker."""

RunBlocks = Callable[["BlockJob", Sequence[int]], Iterator[float]]
"""Makes blocks in any order and yields the seconds of each."""


@dataclass(frozen=True, kw_only=True)
class VaryRequest:
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
    workers: int
    """Processes that make blocks."""
    engines: tuple[str, ...]
    """Engines in which a cousin must be stable; the first brings it to rest."""


def make_pack(request: VaryRequest, run: RunBlocks, *, store: Store, progress: CountCallback) -> dict[str, Any]:
    """Make a pack, validated in all installed engines, and return what `--json` prints; raises `InputError`."""
    began = time.monotonic()
    _require_possible(request)
    engines = require_engines()
    twin = scene_digest(request.scene)
    with claimed_folder(request.output), store.block_sweeps():
        is_made = _is_made(request, twin, engines)
        if not is_made:
            require_free(request.output)
        path, candidates = _library(request, twin, engines, store, progress)
        job = BlockJob(
            library=str(path),
            recipe=recipe_toml(request.recipe),
            output=str(request.output.resolve()),
            key=json_digest(
                [path.parent.name, plain(request.recipe), request.seed, request.count, code_version("sim")]
            ),
            seed=request.seed,
            count=request.count,
            workers=request.workers,
            engines=engines,
        )
        library_s = time.monotonic() - began
        busy = 0.0
        if not is_made:
            busy = _write_pack(job, run, candidates, _meta(request, candidates, twin, engines), progress)
    seconds = time.monotonic() - began
    pack = open_folder(request.output)
    info = pack.info()
    return {
        "pack": str(request.output),
        "digest": pack.digest,
        "requested": request.count,
        "valid": len(pack) - 1,
        "variants": len(candidates.library.variants),
        "refused_variants": dict(candidates.refused),
        "rejected": {reason: sum(axes.values()) for reason, axes in info["rejections"].items()},
        "seconds": round(seconds, 3),
        "library_seconds": round(library_s, 3),
        "orchestration": round(seconds - library_s - busy, 3),
        "per_second": round(request.count / max(seconds, 1e-9), 3),
        "splits": info["splits"],
        "coverage": _coverage(pack),
        "bytes": info["bytes"],
        "bytes_per_cousin": round(_cousin_bytes(pack) / len(pack), 1),
        "warnings": [*candidates.library.scene.warnings, *_no_task(pack)],
        "fallbacks": [
            *candidates.library.scene.fallbacks,
            *_no_far_split(candidates),
            *single_engine_fallbacks(engines),
        ],
    }


def _require_possible(request: VaryRequest) -> None:
    """Raise `InputError` on what cannot be made, before anything is."""
    if request.count < 1:
        raise InputError(f"{request.count} cousins", expected="at least 1", hint="Type -n 100.")
    if request.workers < 1:
        raise InputError(f"{request.workers} workers", expected="at least 1", hint="Type --workers 2.")
    if request.seed < 0:
        raise InputError(f"a seed of {request.seed}", expected="0 or more", hint="Type --seed 0.")
    if request.count > MAX_COUNT or request.workers > MAX_WORKERS:
        raise InputError(
            f"{request.count} cousins by {request.workers} workers",
            expected=f"at most {MAX_COUNT} cousins, some days of work, by at most {MAX_WORKERS} processes",
            hint="Make several packs, with a --seed each.",
        )
    require_room(request.output)


def _write_pack(
    job: BlockJob, run: RunBlocks, candidates: LibraryBuild, meta: PackMeta, progress: CountCallback
) -> float:
    """Make the blocks that are missing, write the pack, and return the seconds that a worker was busy on average."""
    writer = PackWriter(Path(job.output), key=job.key)
    total = math.ceil((job.count + 1) / BLOCK_SIZE)
    missing = [number for number in range(total) if not writer.has_block(number)]
    done = total - len(missing)
    progress("blocks", done, total)
    busy = 0.0
    for seconds in run(job, missing):
        done += 1
        busy += seconds
        progress("blocks", done, total)
    writer.close(candidates.library, meta)
    return busy / max(1, min(job.workers, len(missing)))


def _is_made(request: VaryRequest, twin: str, engines: tuple[str, ...]) -> bool:
    """Return whether the output is what this request makes: a run that was killed at its very end, or repeated."""
    if not (request.output / MANIFEST).is_file():
        return False
    pack = open_folder(request.output)
    meta = pack.manifest.meta
    made_from = (meta.name, meta.seed, meta.generator, dict(meta.lineage), meta.gates.get("engines"), len(pack))
    lineage = _lineage(request, twin) | {name: digest for name, digest in meta.lineage.items() if name == "capture"}
    requested = (request.name, request.seed, GENERATOR, lineage, list(engines), request.count + 1)
    if made_from != requested:
        return False
    shutil.rmtree(request.output / WRITING, ignore_errors=True)
    return True


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
    by_reason: dict[str, dict[str, int]] = {}
    for key, count in block.refused.items():
        axis, reason = key.split(": ", 1)
        by_reason.setdefault(reason, {})[axis] = count
    return by_reason


@cache
def _blocks(job: BlockJob) -> BlockBuilder:
    """Return what makes blocks; made once a process, and open until it ends."""
    candidates = decode(LibraryBuild, Path(job.library).read_bytes())
    recipe = parse_recipe(job.recipe)
    return BlockBuilder(make_cousin_sampler(candidates.library, recipe, seed=job.seed), engines=job.engines).__enter__()


def _library(
    request: VaryRequest, twin: str, engines: tuple[str, ...], store: Store, progress: CountCallback
) -> tuple[Path, LibraryBuild]:
    key = json_digest(
        {
            "stage": "library",
            "code": code_version("sim"),
            "twin": twin,
            "recipe": plain(request.recipe),
            "seed": request.seed,
        }
        | ({} if request.library is None else {"own": [asset.digest for asset in list_assets(request.library)]})
    )
    results: list[LibraryBuild] = []

    def fill(folder: Path) -> None:
        progress("library", 0, 1)
        scene = read_scene(request.scene)
        user_sources = () if request.library is None else (library_candidates(load_library(request.library)),)
        with AffordanceProver(engines) as prove:
            results.append(
                make_library(
                    scene,
                    request.recipe,
                    seed=request.seed,
                    prove=prove,
                    sources=(family_candidates, *user_sources),
                    clutter=clutter_candidates(
                        CLUTTER if request.recipe.distance["clutter"] > 0.0 else 0, seed=request.seed
                    ),
                )
            )
        (folder / LIBRARY).write_bytes(encode(results[0]))

    entry = store.get_or_create(key, fill)
    progress("library", 1, 1)
    path = entry.folder / LIBRARY
    return path, results[0] if results else decode(LibraryBuild, path.read_bytes())


def _meta(request: VaryRequest, candidates: LibraryBuild, twin: str, engines: tuple[str, ...]) -> PackMeta:
    scene = candidates.library.scene
    lineage = _lineage(request, twin)
    if scene.capture_digest:
        lineage["capture"] = scene.capture_digest
    return PackMeta(
        name=request.name,
        seed=request.seed,
        recipe=plain(request.recipe),
        generator=GENERATOR,
        gates={"engines": list(engines), "refused_variants": dict(candidates.refused)},
        fallbacks=(*scene.fallbacks, *_no_far_split(candidates), *single_engine_fallbacks(engines)),
        warnings=scene.warnings,
        lineage=lineage,
    )


def _lineage(request: VaryRequest, twin: str) -> dict[str, str]:
    lineage = {"twin": twin, "recipe": json_digest(plain(request.recipe))}
    if request.library is not None:
        lineage["library"] = json_digest([asset.digest for asset in list_assets(request.library)])
    return lineage


def _no_far_split(candidates: LibraryBuild) -> list[str]:
    if any(variant.held_out for variant in candidates.library.variants.values()):
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
