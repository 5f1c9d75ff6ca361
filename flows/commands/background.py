"""`cousins background CAPTURE SCENE`: what is around the things, as splats that lie over the twin."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cousins.errors import SceneError
from flows.commands.arguments import SEED, add_scale_arguments, whole_number

if TYPE_CHECKING:
    from cousins.capture.captures import Capture
    from cousins.scene.scenes import Scene

FILE = "background.usdc"
"""The splats, with scene.usda below them."""
RECONSTRUCTORS = "cousins.reconstruct.backends"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins background`."""
    parser.add_argument("capture", type=Path, metavar="CAPTURE", help="what the scene was scanned from")
    parser.add_argument("scene", type=Path, metavar="SCENE", help="scene folder of that scan")
    parser.add_argument("--backend", default="nerfstudio", metavar="NAME", help="who learns the splats (nerfstudio)")
    parser.add_argument(
        "--iterations", type=whole_number(1, 10_000_000), default=30_000, help="steps of training (30000)"
    )
    parser.add_argument("--seed", type=SEED, default=0, help="root of the training's randomness (0)")
    add_scale_arguments(parser)


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Train on the capture's pictures and write the splats into the scene's folder."""
    from cousins.importers.recognition import recognise_input
    from cousins.plugins import load_backend
    from cousins.scene.scene_folder import read_scene
    from cousins.scene.usd.splats import write_splats
    from flows.commands.setup import environment_of
    from flows.execution.executor import StageExecutor
    from flows.execution.stage import deferred
    from flows.pipeline.run_scan import default_store
    from flows.pipeline.scan_options import ScanOptions, resolve_options
    from flows.pipeline.stages import ALIGN_TO_LAYOUT, INGEST, REFINE

    folder: Path = arguments.scene
    scene = read_scene(folder)
    module = load_backend(RECONSTRUCTORS, arguments.backend, kind="reconstructor")
    config = module.Config(
        environment=environment_of(arguments.backend), iterations=arguments.iterations, seed=arguments.seed
    )
    backend = module.build(config)
    options = ScanOptions(
        tag_size_m=None if arguments.tag_size is None else arguments.tag_size / 1000.0,
        scale_distances=tuple(arguments.scale_distance),
        scale_room=arguments.scale_room,
    )
    store = default_store()
    with store.block_sweeps(), store.scratch_folder() as work:
        executor = StageExecutor(store=store, options=resolve_options(options))
        capture = executor.run(INGEST(export=recognise_input(arguments.capture)))
        placed = executor.run(REFINE(capture=deferred(capture)))
        if options.scale_room is not None:
            placed = executor.run(ALIGN_TO_LAYOUT(refined=deferred(placed)))
        refined = executor.load(placed).capture
        require_same(scene, executor.load(capture), refined)
        splats = backend.splats(refined, work, progress=_show_progress)
    part = folder / f".part.{FILE}"
    write_splats(splats, part, scene="./scene.usda")
    part.rename(folder / FILE)
    return {"background": str(folder / FILE), "splats": len(splats.positions), "degree": splats.degree}, 0


def format_result(result: dict[str, Any]) -> str:
    """Return what was written."""
    return f"{result['splats']} splats in {result['background']}, over scene.usda"


def require_same(scene: Scene, capture: Capture, refined: Capture) -> None:
    """Raise SceneError where the scene was not made from this capture, in these metres."""
    from cousins.capture.io.capture_folder import capture_digest

    if scene.capture_digest != capture_digest(capture):
        raise SceneError(
            f"a scene of another capture ({scene.capture_digest[:12]})",
            expected=f"the scene that `cousins scan` made of this one ({capture_digest(capture)[:12]})",
            hint="Scan the capture anew; --blur-faces changes it too.",
        )
    if scene.scale != refined.scale:
        raise SceneError(
            f"a scene in metres by {scene.scale.source}",
            expected=f"metres by {refined.scale.source}",
            hint="Type the same --tag-size and --scale-distance as for the scan.",
        )


def _show_progress(step: str, share: float) -> None:
    sys.stderr.write(f"  {step} {share:.0%}\n")
