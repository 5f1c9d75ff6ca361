"""What all benchmark programs share: the flags of their command lines and how their results are printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2] / "shared/data"
"""Folder of the input files that are not part of the project; `--data` names another."""
GSO_OBJECTS = DATA / "objects/gso"
"""Folder of scanned objects (Google Scanned Objects); `--objects` names another."""


def program_parser(
    description: str | None,
    *,
    quick: str | None = None,
    data: Path | None = None,
    objects: Path | None = None,
    seed: int | None = None,
) -> argparse.ArgumentParser:
    """Return the parser of a program with `--json`, and with the other common flags that are given a value here.

    `quick` is the help of `--quick`; `data`, `objects` and `seed` are the defaults of the flags of their names.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if quick is not None:
        parser.add_argument("--quick", action="store_true", help=quick)
    if data is not None:
        parser.add_argument("--data", type=Path, default=data, help="folder of input files")
    if objects is not None:
        parser.add_argument("--objects", type=Path, default=objects, help="folder of object folders")
    if seed is not None:
        parser.add_argument("--seed", type=int, default=seed, help=f"root of all randomness ({seed})")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    return parser


def run_program(
    parser: argparse.ArgumentParser,
    measure: Callable[[argparse.Namespace], dict[str, Any]],
    *,
    show: Callable[[dict[str, Any]], None] | None = None,
    hidden: Collection[str] = (),
) -> None:
    """Parse the command line, measure, and print the result.

    With `--json` that is one line of JSON with all keys. Without, `show` prints it; where there is no `show`, it is
    printed as indented JSON without the `hidden` keys.
    """
    arguments = parser.parse_args()
    result = measure(arguments)
    if arguments.json:
        print(json.dumps(result))
    elif show is not None:
        show(result)
    else:
        print(json.dumps({key: value for key, value in result.items() if key not in hidden}, indent=1))
