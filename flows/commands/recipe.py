"""`cousins recipe init [SCENE] -o recipe.toml`: a commented recipe with every field."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cousins.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins recipe`."""
    parser.add_argument("action", choices=("init",), help="what to do")
    parser.add_argument("scene", nargs="?", type=Path, metavar="SCENE", help="scene that it is for")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("recipe.toml"), metavar="FILE", help="file to write (recipe.toml)"
    )


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Write a recipe; axes that the scene has nothing for are off."""
    from cousins.publishing import write_new
    from cousins.scene.scene_folder import read_scene
    from cousins.vary.cousins import AXES
    from cousins.vary.recipes import Recipe, recipe_toml

    output: Path = arguments.output
    if output.exists():
        raise InputError(
            f"a file at {str(output)!r} already", expected="a new file", hint="Choose another one with -o."
        )
    recipe = Recipe()
    if arguments.scene is not None:
        scene = read_scene(arguments.scene)
        jointed = any(placed.asset.joints for placed in scene.objects)
        free = any(not placed.fixed for placed in scene.objects)
        off = {"joints"} if not jointed else set()
        off |= {"layout", "shape", "swap", "clutter", "task"} if not free else set()
        recipe = recipe.at_distance(0.6, axes=dict.fromkeys(off & set(AXES), 0.0))
    write_new(output, recipe_toml(recipe).encode())
    return {"recipe": str(output)}, 0


def format_result(result: dict[str, Any]) -> str:
    """Return where it is and what to do with it."""
    return f"wrote {result['recipe']}; change it, then `cousins vary SCENE --recipe {result['recipe']} -o PACK`"
