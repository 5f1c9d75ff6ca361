"""Write the reference pages that follow from the code: commands from their parsers, the API from its docstrings.

python docs/make_reference.py            # write docs/reference/commands.md and api.md
python docs/make_reference.py --check    # exit code 1 where a page is not as it would be written
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import cousins
from flows.cli import COMMANDS

HERE = Path(__file__).parent / "reference"
WIDTH = "100"
"""Columns of a help text."""
GROUPS = {
    "From a capture to a scene": (
        "scan", "ScanOptions", "ScanResult", "read_capture", "refine_poses", "segment_capture", "reconstruct_objects",
        "assemble_twin", "settle", "measure_fidelity", "Fidelity", "check",
    ),
    "From a scene to a pack": (
        "make_pack", "Recipe", "open_pack", "Pack", "load_family", "measure_affordances", "missing_affordances",
    ),
    "Learning and evaluation": (
        "make_env", "train", "TrainingConfig", "evaluate", "load_policy", "adapt_env", "register_rllib_envs", "Task",
        "Body",
    ),
    "Values and errors": ("Scene", "Asset", "Capture", "Segmentation", "Finding", "CousinsError", "InputError"),
}  # fmt: skip
"""Public names by section; a test compares them with `cousins.__all__`."""


def commands_page() -> str:
    """Return the page of all commands, each with its help text."""
    parts = [
        "# Commands\n",
        "Every command takes `--json`: one JSON object on standard output, all else on standard error. Long ones take",
        "`--progress-fd N`: a JSON line for each stage that begins, advances or ends, on an open file descriptor. Exit",
        "codes: 0 done, 1 a check or run failed, 2 bad input, 125 inconclusive (`regress`), 130 interrupted.\n",
        "This page is written by `docs/make_reference.py` from the commands' parsers.\n",
        "| command | what it does |",
        "|---|---|",
        *(f"| [`cousins {name}`](#cousins-{name}) | {purpose} |" for name, purpose in COMMANDS.items()),
    ]
    for name in COMMANDS:
        parts += [f"\n## cousins {name}\n", "```text", *_help_of(name), "```"]
    return "\n".join(parts) + "\n"


def api_page() -> str:
    """Return the page of the public API: signature and docstring of every name, fields of data classes."""
    parts = [
        "# Python API\n",
        "`import cousins` gives these names and imports each when it is first used. Values go in, values come out; no",
        "global state but the store of results. Arrays are NumPy's, lengths are metres, poses are `[4, 4]`.\n",
        "This page is written by `docs/make_reference.py` from the docstrings.",
    ]
    for title, names in GROUPS.items():
        parts.append(f"\n## {title}")
        for name in names:
            parts += [f"\n### `cousins.{name}`\n", *_described(name)]
    return "\n".join(parts) + "\n"


def _help_of(name: str) -> Iterator[str]:
    module = importlib.import_module(f"flows.commands.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(prog=f"cousins {name}", description=COMMANDS[name], allow_abbrev=False)
    module.add_arguments(parser)
    yield from parser.format_help().rstrip().splitlines()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice, subparser in action.choices.items():
                subparser.prog = f"cousins {name} {choice}"
                yield ""
                yield from subparser.format_help().rstrip().splitlines()


def _described(name: str) -> Iterator[str]:
    value = getattr(cousins, name)
    doc = inspect.getdoc(value) or ""
    if inspect.isfunction(value):
        yield from ("```text", *_wrapped(_signature(name, value)), "```", "")
        yield doc
        return
    yield doc
    fields = getattr(value, "__dataclass_fields__", {})
    documented = _field_docs(value) if fields else {}
    if documented:
        yield from ("", "| field | type | what |", "|---|---|---|")
        for field, text in documented.items():
            kind = str(fields[field].type).replace("|", "\\|")
            yield f"| `{field}` | `{kind}` | {text} |"
    for method, function in vars(value).items():
        plain = function.__func__ if isinstance(function, staticmethod | classmethod) else function
        if not method.startswith("_") and inspect.isfunction(plain):
            yield from (
                "",
                f"`{_signature(method, plain)}`",
                "",
                f": {' '.join((inspect.getdoc(plain) or '').split())}",
            )


def _signature(name: str, function: object) -> str:
    text = str(inspect.signature(function))  # type: ignore[arg-type]
    return re.sub(
        r"<function (\w+(?:\.\w+)*|<lambda>) at 0x\w+>|<function [\w.<>]+ at 0x\w+>", r"\1", f"{name}{text}"
    ).replace("'", "")


def _wrapped(signature: str) -> list[str]:
    """Return a signature as lines that fit the page, an argument a line where it does not fit one."""
    if len(signature) <= int(WIDTH):
        return [signature]
    name, arguments, result = re.fullmatch(r"(\w+)\((.*)\)( -> .*)?", signature).groups()  # type: ignore[union-attr]
    parts = re.split(r", (?=\w+:|\*|\w+=)", arguments)
    return [f"{name}(", *(f"    {part}," for part in parts), f"){result or ''}"]


def _field_docs(kind: type) -> dict[str, str]:
    """Return the docstring below each field of a data class."""
    docs: dict[str, str] = {}
    last = ""
    for line in inspect.getsource(kind).splitlines():
        stripped = line.strip()
        head, colon, _ = stripped.partition(":")
        if colon and head.isidentifier() and head in getattr(kind, "__dataclass_fields__", {}):
            last = head
        elif stripped.startswith('"""') and last:
            docs[last] = stripped.strip('"')
            last = ""
        elif stripped.startswith("def "):
            break
    return docs


def main() -> int:
    """Write or compare the pages; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    os.environ["COLUMNS"] = WIDTH
    stale = []
    for name, text in (("commands.md", commands_page()), ("api.md", api_page())):
        path = HERE / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not arguments.check:
                path.write_text(text, encoding="utf-8")
    if arguments.check and stale:
        sys.stderr.write(f"{', '.join(stale)}: run `python docs/make_reference.py`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
