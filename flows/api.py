"""The pipeline as functions: what `import cousins` gives as `scan` and `make_pack`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cousins.pack.packs import Pack, open_folder
from cousins.vary.recipes import Recipe
from flows.execution.progress import CountCallback
from flows.execution.stage import ProgressCallback, no_progress
from flows.pipeline import make_pack as pack_pipeline
from flows.pipeline.block_runners import require_runner, run_blocks
from flows.pipeline.make_pack import VaryRequest
from flows.pipeline.run_scan import default_store, run_scan
from flows.pipeline.scan_options import ScanOptions
from flows.pipeline.scan_results import ScanRequest, ScanResult


def scan(
    source: Path | str,
    output: Path | str,
    *,
    options: ScanOptions | None = None,
    force: bool = False,
    progress: ProgressCallback = no_progress,
) -> ScanResult:
    """Turn a phone export, layout scan or mesh into a scene folder; the same bytes as `cousins scan`.

    `options` is what the command's flags say; `force` replaces an older scene at `output`. Raises `InputError` for bad
    input and `StageError` for a stage that failed; nothing is left at `output` then.
    """
    request = ScanRequest(source=Path(source), output=Path(output), options=options or ScanOptions(), force=force)
    return run_scan(request, runner="plain", progress=progress)


def make_pack(
    scene: Path | str,
    output: Path | str,
    *,
    count: int = 100,
    recipe: Recipe | None = None,
    seed: int = 0,
    name: str = "pack",
    workers: int = 2,
    runner: str = "local",
    library: Path | None = None,
    progress: CountCallback = lambda *_: None,
) -> Pack:
    """Make a pack of `count` cousins beside the twin of a scene folder; the same digest as `cousins vary`.

    Worker processes import the calling script, which needs `if __name__ == "__main__":` around the call. Raises
    `InputError` for bad input, `StageError` where a recipe fits nowhere or workers keep dying.
    """
    require_runner(runner)
    request = VaryRequest(
        scene=Path(scene),
        output=Path(output),
        recipe=Recipe() if recipe is None else recipe,
        count=count,
        seed=seed,
        name=name,
        workers=workers,
        library=library,
    )
    run = partial(run_blocks, runner, workers=workers)
    pack_pipeline.make_pack(request, run, store=default_store(), progress=progress)
    return open_folder(Path(output))
