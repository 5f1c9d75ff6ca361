"""`cousins demo`: a simulated phone capture with known truth, a scan of it, and a tiny policy from its cousins."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from flows.commands.arguments import add_progress_argument, add_run_arguments
from flows.reporting.formatting import format_scan, format_truth


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins demo`."""
    parser.add_argument("-o", "--output", type=Path, default=Path("out/demo"), metavar="SCENE", help="scene folder")
    parser.add_argument(
        "--no-policy", dest="policy", action="store_false", help="end with the twin: no pack, no training (extra `rl`)"
    )
    add_run_arguments(parser)
    add_progress_argument(parser)


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Record, scan, compare with the truth; then a small pack, a tiny policy, and how it does."""
    from flows.execution.executor import StageExecutor
    from flows.execution.progress import stage_progress
    from flows.execution.publish import require_free
    from flows.pipeline.demo_capture import CAPTURE, RECORD, TRUTH
    from flows.pipeline.first_policy import first_policy
    from flows.pipeline.run_scan import default_store, run_scan
    from flows.pipeline.scan_options import ScanOptions, resolve_options
    from flows.pipeline.scan_results import ScanRequest
    from sim.physics.installed import require_engines

    require_free(arguments.output, force=arguments.force)
    require_engines()
    options = ScanOptions(seed=arguments.seed, segmenter=arguments.segmenter, names=arguments.names)
    store = default_store()
    with stage_progress(arguments.progress_fd) as progress, store.block_sweeps():
        executor = StageExecutor(store=store, options=resolve_options(options), progress=progress)
        recorded = executor.folder(executor.run(RECORD()))
        request = ScanRequest(
            source=recorded / CAPTURE,
            output=arguments.output,
            options=options,
            force=arguments.force,
            truth=recorded / TRUTH,
        )
        result = dict(run_scan(request, runner=arguments.runner, progress=progress, store=store).summary)
        if arguments.policy:
            result["policy"] = first_policy(executor, arguments.output)
        return result, 0


def format_result(result: dict[str, Any]) -> str:
    """Return what was made, and how far it is from the truth."""
    from flows.pipeline.first_policy import format_policy

    policy = ["", *format_policy(result["policy"])] if "policy" in result else []
    return "\n".join([format_scan(result), "", *format_truth(result["truth"]), *policy])
