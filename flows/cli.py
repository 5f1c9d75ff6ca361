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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from types import ModuleType
from typing import Any, NoReturn, TextIO

from cousins import __version__
from cousins.disk_errors import disk_error
from cousins.errors import CellError, CousinsError, ExplainedError, InputError, ResourceError
from cousins.extras import missing_module_as_extra
from flows.supervisor import INTERRUPTED, supervise
from flows.terminal_text import printable

COMMANDS = {
    "demo": "run the whole pipeline on a built-in simulated phone capture with known truth, to a trained policy",
    "scan": "turn a phone export into a physics-ready scene",
    "inspect": "show what is in a capture, scene or pack: quality, warnings, numbers",
    "check": "check a scene folder or anyone's USD file: schema and physics gates",
    "view": "show a scene's report with its 3-D view in the browser",
    "background": "train splats of the surroundings on an NVIDIA GPU and put them into a scene",
    "setup": "build the environment of a back-end that needs one of its own",
    "label": "give an object of a scene a name",
    "recipe": "write a commented recipe of what may vary: `recipe init SCENE -o FILE`",
    "vary": "make a pack of digital cousins of a scene",
    "assets": "use your own assets in cousins: `assets add FOLDER --licence SPDX`, `assets ls`",
    "pack": "push, pull, verify, compare and look at packs: `pack info PACK`",
    "tasks": "list which tasks the cousins of a pack afford, with the proof",
    "train": "learn a task in the cousins of a pack, by Stable-Baselines3 or on Ray by RLlib",
    "eval": "try a policy in the cousins of a split: success with intervals, every episode counted",
    "regress": "compare a policy's results in a pack with accepted ones, as a CI job does",
    "record": "write rollouts as a data set: LeRobotDataset v3 or MCAP, every episode counted",
    "film": "film evaluation episodes chosen by chance, never the best",
    "policy": "serve a policy to other programs by openpi's protocol: `policy serve POLICY`",
    "cell": "check, run and stop a robot, real or simulated: `cell check CELL.toml`",
    "models": "list the models that can be fetched, or fetch one: `models get NAME`",
    "tag-sheet": "make a sheet of printable tags that measure the scale of a scan",
    "doctor": "check whether this machine has what is needed",
}


AGAIN = {
    "scan": "finished stages are kept: the same command goes on from there",
    "demo": "finished stages are kept: the same command goes on from there",
    "vary": "finished blocks are kept: the same command goes on from there",
    "pack": "what was transferred is kept: the same command goes on from there",
    "train": "--resume goes on from the last checkpoint, if there is one yet",
}
"""What is true of a command that was interrupted or failed; the others start again."""


class UsageError(InputError):
    """A command line that cannot be understood."""


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing, so that `--json` prints errors as JSON too."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, expected=self.format_usage().strip(), hint=f"Type `{self.prog} --help`.")


class _Command(_Parser):
    """Reports unknown arguments with its own usage rather than that of all commands."""

    def parse_known_args(self, *positional: Any, **named: Any) -> tuple[Any, list[str]]:
        arguments, unknown = super().parse_known_args(*positional, **named)
        if unknown:
            self.error(f"no such argument: {' '.join(unknown)}")
        return arguments, unknown


def main(words: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit code."""
    command_line = list(sys.argv[1:] if words is None else words)
    supervise()
    with _result_output() as output:
        code = run(command_line, output)
    sys.exit(code)


def run(words: list[str], output: TextIO) -> int:
    """Run one command line, write its result to `output`, and return the exit code."""
    as_json = "--json" in words
    try:
        arguments = _parse(words, output)
        if arguments is None:
            return 0
        command = _module(arguments.command)
        with missing_module_as_extra():
            result, code = command.run(arguments)
        text = json.dumps(result, allow_nan=False) if as_json else printable(command.format_result(result))
        if text:
            output.write(text + "\n")
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted; nothing was left half done; {_again(words)}\n")
        return INTERRUPTED
    except CousinsError as error:
        return _report_error(error, words, output, as_json=as_json)
    except Exception as error:
        explained = _explained(error)
        if explained is not None:
            return _report_error(explained, words, output, as_json=as_json)
        logging.exception("this is a bug in cousins")
        if as_json:
            output.write(json.dumps({"error": _bug()}) + "\n")
        return 1
    return int(code)


def error_of(error: CousinsError, words: Sequence[str] = ()) -> dict[str, str]:
    """Return what `--json` prints of an error of a command line."""
    if isinstance(error, ExplainedError):
        return {"kind": type(error).__name__, "found": error.found, "expected": error.expected, "hint": error.hint}
    if isinstance(error, CellError):
        hint = "Look at the robot first; where the cell is stopped, `cousins cell release` lifts it."
        return {"kind": "CellError", "found": str(error), "expected": "the cell to go on", "hint": hint}
    return {
        "kind": type(error).__name__,
        "found": str(error),
        "expected": "the run to finish",
        "hint": f"Mend the cause, then run it again; {_again(words)}.",
    }


def _explained(error: Exception) -> CousinsError | None:
    """Return what a user can mend about an error of the system; None for anything else, which is a bug."""
    if isinstance(error, MemoryError):
        return ResourceError(
            "no memory left",
            expected="memory for this input",
            hint="Close other programs, or use fewer or smaller inputs.",
        )
    return disk_error(error) if isinstance(error, OSError) else None


def _again(words: Sequence[str]) -> str:
    return AGAIN.get(next((word for word in words if word in COMMANDS), ""), "start it again")


def _report_error(error: CousinsError, words: Sequence[str], output: TextIO, *, as_json: bool) -> int:
    """Print an error for its reader; return 2 for bad input, 1 for a run that failed."""
    fields = {key: printable(text) for key, text in error_of(error, words).items()}
    if as_json:
        output.write(json.dumps({"error": fields}) + "\n")
    lines = [f"error: found {fields['found']}", f"       expected {fields['expected']}", f"       {fields['hint']}"]
    if not isinstance(error, ExplainedError):
        lines = [f"error: {fields['found']}", f"       {fields['hint']}"]
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
    """Return the arguments; None where help or the version was asked for and printed.

    Only the module of the command that is named is imported, so that help and usage errors come at once.
    """
    for word in words:
        if not _is_path(word):
            raise UsageError(
                f"the word {word[:80]!r}", expected="words that may name a file", hint="Type it without such letters."
            )
    command = next((word for word in words if not word.startswith("-")), None)
    if command is not None and command not in COMMANDS:
        close = difflib.get_close_matches(command, COMMANDS, n=1)
        guess = f"Did you mean `cousins {close[0]}`? " if close else ""
        raise UsageError(
            f"no command named '{command}'",
            expected="one of " + ", ".join(COMMANDS),
            hint=f"{guess}Type `cousins --help`.",
        )
    parser = _parser(command)
    if command is None and not {"-h", "--help", "--version"} & set(words):
        output.write(parser.format_help())
        return None
    try:
        with redirect_stdout(output):
            return parser.parse_args(words)
    except SystemExit:
        return None


def _is_path(word: str) -> bool:
    """Return whether a word can be handed to the system: no NUL, and no half of a character."""
    try:
        return b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        return False


def _parser(command: str | None) -> _Parser:
    """Return the parser of all commands, with the arguments of one."""
    parser = _Parser(
        prog="cousins", description="From a phone scan to a physics-ready OpenUSD scene.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"cousins {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Command)
    for name, purpose in COMMANDS.items():
        subparser = commands.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
        subparser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        if name == command:
            _module(name).add_arguments(subparser)
    return parser


def _module(command: str) -> ModuleType:
    return importlib.import_module(f"flows.commands.{command.replace('-', '_')}")


@contextmanager
def _result_output() -> Iterator[TextIO]:
    """Keep standard output for the result alone: engines that print to it from C land on standard error."""
    sys.stdout.flush()
    descriptor = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as output:
        yield output


if __name__ == "__main__":
    main()
