"""`cousins vary SCENE -n 100 -o PACK`."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

from cousins.errors import InputError, SceneError
from flows.commands.arguments import add_progress_argument

POOR_TWIN: Final = "the twin is poor"
"""Begins the warning about a twin that explains little of what was seen."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins vary`."""
    parser.add_argument("scene", type=Path, metavar="SCENE", help="scene folder, as `cousins scan` writes it")
    parser.add_argument("-n", "--count", type=int, default=100, help="cousins to make, beside the twin (100)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PACK", help="pack folder to write")
    parser.add_argument("--seed", type=int, default=0, help="root of all randomness (0)")
    parser.add_argument("--distance", type=float, help="how far every axis goes, 0 to 1 (as the recipe says, 0.6)")
    parser.add_argument(
        "--axis", action="append", default=[], metavar="NAME=D", help="how far one axis goes; repeat it for more"
    )
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="what may vary, as `cousins recipe init` writes it")
    parser.add_argument(
        "--library", type=Path, metavar="DIR", help="your own assets, as `cousins assets add` keeps them"
    )
    parser.add_argument("--name", default="pack", help="short name of the pack (pack)")
    parser.add_argument(
        "--runner", default="local", metavar="NAME", help="who makes them: local, prefect, ray or dask (local)"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes that make them (2)")
    add_progress_argument(parser)


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Make a pack."""
    from cousins.vary.recipes import Recipe, read_recipe
    from flows.execution.progress import count_progress
    from flows.pipeline.block_runners import require_runner, run_blocks
    from flows.pipeline.make_pack import VaryRequest, make_pack
    from flows.pipeline.run_scan import default_store

    require_runner(arguments.runner)
    recipe = Recipe() if arguments.recipe is None else read_recipe(arguments.recipe)
    axes = dict(_axis(text) for text in arguments.axis)
    if arguments.distance is not None:
        recipe = recipe.at_distance(arguments.distance, axes=axes)
    elif axes:
        recipe = recipe.at_distance(0.0, axes=dict(recipe.distance) | axes)
    request = VaryRequest(
        scene=arguments.scene,
        output=arguments.output,
        recipe=recipe,
        count=arguments.count,
        seed=arguments.seed,
        name=arguments.name,
        workers=arguments.workers,
        library=arguments.library,
    )
    run = partial(run_blocks, arguments.runner, workers=arguments.workers)
    with count_progress(arguments.progress_fd, _show_progress) as progress:
        result = make_pack(request, run, store=default_store(), progress=progress)
    return {**result, "warnings": [*_doubts_about_twin(arguments.scene), *result["warnings"]]}, 0


def format_result(result: dict[str, Any]) -> str:
    """Return the pack in words: how many, what was refused, where it is."""
    splits = ", ".join(f"{name} {count}" for name, count in result["splits"].items())
    lines = [f"{result['valid']} cousins beside the twin ({splits}), from {result['variants']} variants"]
    rejected = sorted(result["rejected"].items(), key=lambda item: -item[1])
    lines += [f"refused {count:5d}  {reason}" for reason, count in rejected]
    lines += [f"refused {count:5d}  variant, {reason}" for reason, count in result["refused_variants"].items()]
    coverage = ", ".join(f"{axis} {value:.0%}" for axis, value in result["coverage"].items())
    lines += [f"warning: {text}" for text in result["warnings"]]
    cost = f"{result['seconds']:.1f} s, {result['library_seconds']:.1f} s of it for the library"
    lines += [
        f"coverage  {coverage}",
        f"pack      {result['pack']}",
        f"digest    sha256:{result['digest']}",
        f"time      {cost}; {result['bytes'] / 1e6:.1f} MB, {result['bytes_per_cousin']:.0f} bytes a cousin",
    ]
    return "\n".join(lines)


def _doubts_about_twin(scene: Path) -> list[str]:
    """Return a warning where the report of a scan calls its twin poor."""
    from flows.commands.inspect import read_report

    report = scene / "report.json"
    try:
        fidelity = read_report(report).get("fidelity") if report.is_file() else None
    except SceneError as error:
        return [f"whether the twin is good is not known: {error}"]
    if not isinstance(fidelity, dict) or fidelity.get("verdict") != "poor":
        return []
    return [f"{POOR_TWIN}: cousins of it train for a place that is not there. See {scene / 'report.html'}."]


def _axis(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError as error:
        raise InputError(
            f"--axis {text[:40]}", expected="NAME=DISTANCE with a distance from 0 to 1", hint="Type --axis swap=0.8."
        ) from error


def _show_progress(name: str, done: int, total: int) -> None:
    sys.stderr.write(f"  {name:<8} {done} of {total}\n")
    sys.stderr.flush()
