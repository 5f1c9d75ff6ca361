"""`cousins background CAPTURE SCENE`: what is around the things, as splats that lie over the twin."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from cousins.capture.captures import Capture
from cousins.capture.io.capture_folder import capture_digest
from cousins.errors import SceneError
from cousins.plugins import load
from cousins.scene.scene_folder import read_scene
from cousins.scene.scenes import Scene
from cousins.scene.usd.splats import write_splats
from flows.commands.setup import environment_of
from flows.execution.executor import Desk, Options, say_nothing
from flows.pipeline.backend_choice import layout
from flows.pipeline.run_scan import default_store
from flows.pipeline.scan_job import export_of
from flows.pipeline.stages import INGEST, LAY_OVER, REFINE

FILE = "background.usdc"
"""The splats, with scene.usda below them."""
RECONSTRUCTORS = "cousins.reconstruct.backends"


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Train on the capture's pictures and write the splats into the scene's folder."""
    folder: Path = arguments.scene
    scene = read_scene(folder)
    module = load(RECONSTRUCTORS, arguments.backend, kind="reconstructor")
    config = module.Config(
        environment=environment_of(arguments.backend), iterations=arguments.iterations, seed=arguments.seed
    )
    backend = module.build(config)
    options = Options(
        tag_size_m=None if arguments.tag_size is None else arguments.tag_size / 1000.0,
        scale_distances=tuple(arguments.scale_distance),
        **layout(arguments.scale_room),
    )
    store = default_store()
    with store.in_use(), store.workplace() as work:
        desk = Desk(store=store, options=options, tell=say_nothing)
        capture = desk.carry_out(INGEST, export=export_of(arguments.capture))
        placed = desk.carry_out(REFINE, capture=capture)
        if options.scale_room is not None:
            placed = desk.carry_out(LAY_OVER, refined=placed)
        refined = desk.read(REFINE, placed).capture
        require_same(scene, desk.read(INGEST, capture), refined)
        splats = backend.splats(refined, work, tell=_tell)
    part = folder / f".part.{FILE}"
    write_splats(splats, part, scene="./scene.usda")
    part.rename(folder / FILE)
    return {"background": str(folder / FILE), "splats": len(splats.positions), "degree": splats.degree}, 0


def told(result: dict[str, Any]) -> str:
    """Return what was written."""
    return f"{result['splats']} splats in {result['background']}, over scene.usda"


def require_same(scene: Scene, capture: Capture, refined: Capture) -> None:
    """Raise SceneError where the scene was not made from this capture, in these metres."""
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


def _tell(what: str, share: float) -> None:
    sys.stderr.write(f"  {what} {share:.0%}\n")
