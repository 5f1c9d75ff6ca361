"""What `cousins pack` and `cousins tasks` take."""

from __future__ import annotations

import argparse
from pathlib import Path

SPLITS = ("twin", "train", "heldout_near", "heldout_far")


def pack_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `cousins pack`, each with its own arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))
    for name, purpose, add in (
        ("info", "tell what is in a pack", _pack),
        ("verify", "hash everything in a pack folder", _verify),
        ("ls", "list the tags of a store, or the packs on this machine", _store),
        ("push", "put a pack into a store", _push),
        ("pull", "get a pack, or some cousins of it, from a store", _pull),
        ("diff", "tell which stage, input or axis makes two packs differ", _diff),
        ("gc", "remove from a store, or from this machine, what no tag stands for", _gc),
        ("export", "write one cousin as a scene folder: USD, URDF and MJCF", _export),
        ("gallery", "draw cousins: one page to look at, a contact sheet, and the pack's card", _gallery),
    ):
        one = actions.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
        one.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        add(one)


def tasks_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins tasks`."""
    _pack(parser)
    parser.add_argument("--task", action="append", default=[], metavar="NAME", help="only this task; repeat it")
    parser.add_argument("--split", choices=SPLITS, help="only cousins of this split")
    parser.add_argument("--count", type=int, metavar="N", help="look at no more than the first N of each split")
    parser.add_argument("--cousin", type=int, action="append", default=[], metavar="N", help="only this one; repeat it")


def _pack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", metavar="PACK", help="pack folder, or NAME:TAG@STORE")


def _verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, metavar="PACK", help="pack folder")
    parser.add_argument("--digest", metavar="HEX", help="what the pack must be (as its pack.sha256 tells)")
    parser.add_argument("--deep", action="store_true", help="also read every cousin, as a simulator would")


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "store", nargs="?", metavar="STORE", help="folder, https://, s3://BUCKET/PREFIX or hf://OWNER/NAME (the cache)"
    )


def _push(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, metavar="PACK", help="pack folder")
    parser.add_argument("store", metavar="STORE", help="folder, s3://BUCKET/PREFIX or hf://OWNER/NAME")
    parser.add_argument("--tag", required=True, metavar="NAME:TAG", help="what it is called there; the tag may move")


def _pull(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference", metavar="REF", help="NAME:TAG or sha256:DIGEST, maybe with @STORE")
    parser.add_argument("--from", dest="store", metavar="STORE", help="where it is; the cache where not told")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="pack folder to write")
    parser.add_argument("--split", choices=SPLITS, help="only cousins of this split")
    parser.add_argument("--count", type=int, help="only the first so many")
    parser.add_argument("--cousin", type=int, action="append", default=[], metavar="N", help="only this one; repeat it")


def _diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="A", help="pack folder, or NAME:TAG@STORE")
    parser.add_argument("second", metavar="B", help="the other one")


def _gc(parser: argparse.ArgumentParser) -> None:
    _store(parser)
    parser.add_argument(
        "--older-than", type=float, default=24.0, metavar="HOURS", help="leave what is younger: a push may run (24)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell what would go")


def _export(parser: argparse.ArgumentParser) -> None:
    _pack(parser)
    parser.add_argument("--cousin", type=int, required=True, metavar="N", help="its number; 0 is the twin")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="scene folder to write")


def _gallery(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, metavar="PACK", help="pack folder; the files are written into it")
    parser.add_argument("--count", type=int, default=200, help="cousins to draw at most, spread over the splits (200)")
