"""The `cousins` command: parse, run one command, print its result, and map errors to exit codes.

Exit code 0: done. 1: the check or run failed. 2: bad input. 130: interrupted. With `--json` standard output holds
one JSON object and nothing else; progress and log go to standard error.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn, TextIO

from cousins import __version__
from cousins.errors import CousinsError, InputError
from flows.learning_arguments import eval_arguments, film_arguments, record_arguments, train_arguments
from flows.pack_arguments import pack_arguments, tasks_arguments
from flows.scan_arguments import background_arguments, demo_arguments, scan_arguments, sheet_arguments
from flows.vary_arguments import assets_arguments, recipe_arguments, vary_arguments

COMMANDS = {
    "demo": "run the whole pipeline on a built-in simulated phone capture with known truth, to a trained policy",
    "scan": "turn a phone export into a physics-ready scene",
    "inspect": "tell what is in a capture or scene: quality, warnings, numbers",
    "check": "check a scene folder or anyone's USD file: schema and physics gates",
    "view": "show a scene's report with its 3-D view in the browser",
    "background": "learn what is around the things as splats, on an NVIDIA GPU, and lay them over a scene",
    "setup": "build the environment of a back-end that needs one of its own",
    "label": "give an object of a scene a name",
    "recipe": "write a commented recipe of what may vary: `recipe init SCENE -o FILE`",
    "vary": "make a pack of digital cousins of a scene",
    "assets": "let your own assets stand in cousins: `assets add FOLDER --licence SPDX`, `assets ls`",
    "pack": "push, pull, verify, compare and look at packs: `pack info PACK`",
    "tasks": "list which tasks the cousins of a pack afford, with the proof",
    "train": "learn a task in the cousins of a pack, by Stable-Baselines3 or on Ray by RLlib",
    "eval": "try a policy in the cousins of a split: success with intervals, every episode counted",
    "record": "write rollouts as a data set: LeRobotDataset v3 or MCAP, every episode counted",
    "film": "film evaluation episodes chosen by chance, never the best",
    "models": "list the models that can be fetched, or fetch one: `models get NAME`",
    "tag-sheet": "make a sheet of tags to print, which tell a scan's scale",
    "doctor": "tell whether this machine has what is needed",
}


class UsageError(InputError):
    """A command line that cannot be understood."""


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing, so that the message reaches whoever asked for JSON too."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, expected=self.format_usage().strip(), hint=f"Type `{self.prog} --help`.")


class _Command(_Parser):
    """Tells itself of words that it does not know, with its own usage rather than that of all commands."""

    def parse_known_args(self, *words: Any, **given: Any) -> tuple[Any, list[str]]:
        found, unknown = super().parse_known_args(*words, **given)
        if unknown:
            self.error(f"no such argument: {' '.join(unknown)}")
        return found, unknown


def main(words: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit code."""
    given = list(sys.argv[1:] if words is None else words)
    with _own_output() as output:
        code = run(given, output)
    sys.exit(code)


def run(words: list[str], output: TextIO) -> int:
    """Run one command line, write its result to `output`, and return the exit code."""
    as_json = "--json" in words
    try:
        arguments = _parse(words, output)
        if arguments is None:
            return 0
        command = importlib.import_module(f"flows.commands.{arguments.command.replace('-', '_')}")
        result, code = command.run(arguments)
        text = json.dumps(result, allow_nan=False) if as_json else command.told(result)
        if text:
            output.write(text + "\n")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was left half done, the same command goes on from there\n")
        return 130
    except CousinsError as error:
        return _tell(error, output, as_json=as_json)
    except Exception:
        logging.exception("this is a bug in cousins")
        if as_json:
            output.write(json.dumps({"error": _bug()}) + "\n")
        return 1
    return int(code)


def error_of(error: CousinsError) -> dict[str, str]:
    """Return what `--json` prints of an error."""
    if isinstance(error, InputError):
        return {"kind": type(error).__name__, "found": error.found, "expected": error.expected, "hint": error.hint}
    return {
        "kind": type(error).__name__,
        "found": str(error),
        "expected": "the run to finish",
        "hint": "Finished stages are kept: run the same command again after mending the cause.",
    }


def _tell(error: CousinsError, output: TextIO, *, as_json: bool) -> int:
    """Print an error for its reader; return 2 for bad input, 1 for a run that failed."""
    told = error_of(error)
    if as_json:
        output.write(json.dumps({"error": told}) + "\n")
    lines = [f"error: found {told['found']}", f"       expected {told['expected']}", f"       {told['hint']}"]
    if not isinstance(error, InputError):
        lines = [f"error: {told['found']}", f"       {told['hint']}"]
    sys.stderr.write("\n".join(lines) + "\n")
    return 2 if isinstance(error, InputError) else 1


def _bug() -> dict[str, str]:
    kind, error, _ = sys.exc_info()
    name = "" if kind is None else kind.__name__
    return {
        "kind": "Bug",
        "found": f"{name}: {error}",
        "expected": "no such thing",
        "hint": "Please report it with the traceback on standard error.",
    }


def _parse(words: list[str], output: TextIO) -> argparse.Namespace | None:
    """Return the arguments; None where help or the version was asked for and printed."""
    command = next((word for word in words if not word.startswith("-")), None)
    parser = _parser()
    if command is None and not {"-h", "--help", "--version"} & set(words):
        output.write(parser.format_help())
        return None
    if command is not None and command not in COMMANDS:
        close = difflib.get_close_matches(command, COMMANDS, n=1)
        guess = f"Did you mean `cousins {close[0]}`? " if close else ""
        raise UsageError(
            f"no command named '{command}'",
            expected="one of " + ", ".join(COMMANDS),
            hint=f"{guess}Type `cousins --help`.",
        )
    try:
        with redirect_stdout(output):
            return parser.parse_args(words)
    except SystemExit:
        return None


def _parser() -> _Parser:
    parser = _Parser(
        prog="cousins", description="From a phone scan to a physics-ready OpenUSD scene.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"cousins {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Command)
    for name, purpose in COMMANDS.items():
        one = commands.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
        one.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        _ARGUMENTS[name](one)
    return parser


def _path_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH")


def _inspect_arguments(parser: argparse.ArgumentParser) -> None:
    _path_argument(parser)
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="write a capture's numbered pictures, for --scale-distance"
    )


def _choice(parser: argparse.ArgumentParser, name: str, choices: tuple[str, ...]) -> None:
    parser.add_argument(name, choices=choices)


def _view_arguments(parser: argparse.ArgumentParser) -> None:
    _path_argument(parser)
    parser.add_argument("--port", type=int, default=0, help="port on the loopback interface; 0 takes a free one")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def _label_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scene", type=Path, metavar="SCENE")
    parser.add_argument("object", metavar="OBJECT", help="its name, such as object_0")
    parser.add_argument("label", metavar="LABEL", help='what people call it, such as "blue mug"')


def _models_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "get"), default="list", help="what to do (list)")
    parser.add_argument("name", nargs="?", metavar="NAME", help="model to fetch")
    parser.add_argument(
        "--sha256",
        action="append",
        default=[],
        metavar="FILE=HEX",
        help="what a file's SHA-256 must be, where the list does not say",
    )


_ARGUMENTS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "demo": demo_arguments,
    "scan": scan_arguments,
    "inspect": _inspect_arguments,
    "check": _path_argument,
    "view": _view_arguments,
    "background": background_arguments,
    "setup": lambda parser: _choice(parser, "name", ("nerfstudio",)),
    "label": _label_arguments,
    "recipe": recipe_arguments,
    "vary": vary_arguments,
    "assets": assets_arguments,
    "pack": pack_arguments,
    "tasks": tasks_arguments,
    "train": train_arguments,
    "eval": eval_arguments,
    "record": record_arguments,
    "film": film_arguments,
    "models": _models_arguments,
    "tag-sheet": sheet_arguments,
    "doctor": lambda _: None,
}


@contextmanager
def _own_output() -> Iterator[TextIO]:
    """Keep standard output for the result alone: engines that print to it from C land on standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(kept, "w", encoding="utf-8") as output:
        yield output


if __name__ == "__main__":
    main()
