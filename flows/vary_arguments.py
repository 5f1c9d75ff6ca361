"""What `cousins recipe`, `vary` and `assets` take."""

from __future__ import annotations

import argparse
from pathlib import Path


def recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins recipe`."""
    parser.add_argument("action", choices=("init",), help="what to do")
    parser.add_argument("scene", nargs="?", type=Path, metavar="SCENE", help="scene that it is for")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("recipe.toml"), metavar="FILE", help="file to write (recipe.toml)"
    )


def vary_arguments(parser: argparse.ArgumentParser) -> None:
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


def assets_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins assets`."""
    parser.add_argument("action", choices=("add", "ls"), help="what to do")
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="folder with GLB, OBJ, STL, PLY, USDZ")
    parser.add_argument("--licence", metavar="SPDX", help="licence of the assets, such as CC-BY-4.0")
    parser.add_argument("--library", type=Path, metavar="DIR", help="library to add to or list (COUSINS_LIBRARY)")
    parser.add_argument("--up", choices=("y", "z"), help="up axis of the meshes; their format tells where not given")
    parser.add_argument("--seed", type=int, default=0, help="root of all randomness (0)")
