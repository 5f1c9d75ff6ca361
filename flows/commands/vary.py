"""`cousins vary SCENE -n 100 -o PACK`."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any

from cousins.errors import InputError
from cousins.vary.recipes import Recipe, read_recipe
from flows.pipeline.block_runners import require_runner, run_blocks
from flows.pipeline.make_pack import VaryOrder, vary
from flows.pipeline.run_scan import default_store


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Make a pack."""
    require_runner(arguments.runner)
    recipe = Recipe() if arguments.recipe is None else read_recipe(arguments.recipe)
    axes = dict(_axis(text) for text in arguments.axis)
    if arguments.distance is not None:
        recipe = recipe.at(arguments.distance, axes=axes)
    elif axes:
        recipe = recipe.at(0.0, axes=dict(recipe.distance) | axes)
    order = VaryOrder(
        scene=arguments.scene,
        output=arguments.output,
        recipe=recipe,
        count=arguments.count,
        seed=arguments.seed,
        name=arguments.name,
        workers=arguments.workers,
        library=arguments.library,
    )
    run_them = partial(run_blocks, arguments.runner, workers=arguments.workers)
    return vary(order, run_them, store=default_store(), tell=_tell), 0


def told(result: dict[str, Any]) -> str:
    """Return the pack in words: how many, what was refused, where it is."""
    splits = ", ".join(f"{name} {count}" for name, count in result["splits"].items())
    lines = [f"{result['valid']} cousins beside the twin ({splits}), from {result['variants']} variants"]
    rejected = sorted(result["rejected"].items(), key=lambda item: -item[1])
    lines += [f"refused {count:5d}  {reason}" for reason, count in rejected]
    lines += [f"refused {count:5d}  variant, {reason}" for reason, count in result["refused_variants"].items()]
    coverage = ", ".join(f"{axis} {value:.0%}" for axis, value in result["coverage"].items())
    cost = f"{result['seconds']:.1f} s, {result['library_seconds']:.1f} s of it for the library"
    lines += [
        f"coverage  {coverage}",
        f"pack      {result['pack']}",
        f"digest    sha256:{result['digest']}",
        f"time      {cost}; {result['bytes'] / 1e6:.1f} MB, {result['bytes_per_cousin']:.0f} bytes a cousin",
    ]
    return "\n".join(lines)


def _axis(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError as error:
        raise InputError(
            f"--axis {text[:40]}", expected="NAME=DISTANCE with a distance from 0 to 1", hint="Type --axis swap=0.8."
        ) from error


def _tell(what: str, done: int, total: int) -> None:
    sys.stderr.write(f"  {what:<8} {done} of {total}\n")
    sys.stderr.flush()
