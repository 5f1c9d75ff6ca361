"""`cousins pack ACTION`: what is in packs, whether they are whole, and their way to and from stores."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cousins.errors import InputError
from flows.commands.arguments import number
from flows.reporting.formatting import format_pack, size_text, table

if TYPE_CHECKING:
    from cousins.pack.transfer.registry import PackStore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `cousins pack`, each with its own arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))
    for name, purpose, add in (
        ("info", "tell what is in a pack", _add_pack),
        ("verify", "hash everything in a pack folder", _add_verify),
        ("ls", "list the tags of a store, or the packs on this machine", _add_store),
        ("push", "put a pack into a store", _add_push),
        ("pull", "get a pack, or some cousins of it, from a store", _add_pull),
        ("diff", "tell which stage, input or axis makes two packs differ", _add_diff),
        ("gc", "remove from a store, or from this machine, what no tag stands for", _add_gc),
        ("export", "write one cousin as a scene folder: USD, URDF and MJCF", _add_export),
        ("gallery", "draw cousins: one page to look at, a contact sheet, and the pack's card", _add_gallery),
    ):
        action_parser = actions.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
        action_parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        add(action_parser)


def _add_pack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", metavar="PACK", help="pack folder, or NAME:TAG@STORE")


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, metavar="PACK", help="pack folder")
    parser.add_argument("--digest", metavar="HEX", help="what the pack must be (as its pack.sha256 tells)")
    parser.add_argument("--deep", action="store_true", help="also read every cousin, as a simulator would")


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "store", nargs="?", metavar="STORE", help="folder, https://, s3://BUCKET/PREFIX or hf://OWNER/NAME (the cache)"
    )


def _add_push(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, metavar="PACK", help="pack folder")
    parser.add_argument("store", metavar="STORE", help="folder, s3://BUCKET/PREFIX or hf://OWNER/NAME")
    parser.add_argument("--tag", required=True, metavar="NAME:TAG", help="what it is called there; the tag may move")


def _add_pull(parser: argparse.ArgumentParser) -> None:
    from cousins.vary.cousins import SPLITS

    parser.add_argument("reference", metavar="REF", help="NAME:TAG or sha256:DIGEST, maybe with @STORE")
    parser.add_argument("--from", dest="store", metavar="STORE", help="where it is; the cache where not told")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="pack folder to write")
    parser.add_argument("--split", choices=SPLITS, help="only cousins of this split")
    parser.add_argument("--count", type=int, help="only the first so many")
    parser.add_argument("--cousin", type=int, action="append", default=[], metavar="N", help="only this one; repeat it")


def _add_diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="A", help="pack folder, or NAME:TAG@STORE")
    parser.add_argument("second", metavar="B", help="the other one")


def _add_gc(parser: argparse.ArgumentParser) -> None:
    _add_store(parser)
    parser.add_argument(
        "--older-than",
        type=number(0.0, 1e6),
        default=24.0,
        metavar="HOURS",
        help="leave what is younger: a push may run (24)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell what would go")


def _add_export(parser: argparse.ArgumentParser) -> None:
    _add_pack(parser)
    parser.add_argument("--cousin", type=int, required=True, metavar="N", help="its number; 0 is the twin")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="scene folder to write")
    parser.add_argument("--force", action="store_true", help="replace an older scene at the output folder")


def _add_gallery(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, metavar="PACK", help="pack folder; the files are written into it")
    parser.add_argument("--count", type=int, default=200, help="cousins to draw at most, spread over the splits (200)")


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Do what the action says."""
    result, code = _ACTIONS[arguments.action](arguments)
    return {"action": arguments.action, **result}, code


def format_result(result: dict[str, Any]) -> str:
    """Return the result in words."""
    return "\n".join(_FORMATS[result["action"]](result))


def _info(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from cousins.pack.transfer.pull import open_pack

    pack = open_pack(arguments.pack)
    numbers = _selected(arguments.pack)
    return {**pack.info(), "here": len(pack) if numbers is None else len(numbers), "ok": True, "bad": []}, 0


def _verify(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from cousins.pack.verification import verify

    began = time.perf_counter()
    verification = verify(arguments.pack, digest=arguments.digest, deep=arguments.deep)
    seconds = time.perf_counter() - began
    result = asdict(verification) | {"ok": verification.ok, "seconds": round(seconds, 3), "deep": arguments.deep}
    result["bad"] = [{"where": place, "trouble": trouble} for place, trouble in verification.bad]
    return result, 0 if verification.ok else 1


def _ls(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from cousins.pack.manifests import read_manifest
    from cousins.pack.transfer.pull import cache_folder
    from cousins.pack.transfer.registry import open_store, tags

    if arguments.store is not None:
        store = open_store(arguments.store)
        return {
            "store": store.address,
            "packs": [{"tag": tag, "digest": digest} for tag, digest in tags(store).items()],
        }, 0
    packs = []
    for path in sorted((cache_folder() / "packs").glob("*.json")):
        manifest = read_manifest(path.read_bytes(), digest=path.stem)
        packs.append({"tag": manifest.meta.name, "digest": path.stem, "cousins": manifest.cousins})
    return {"store": str(cache_folder()), "packs": packs}, 0


def _push(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from cousins.pack.transfer.push import push
    from cousins.pack.transfer.registry import open_store, parse_reference

    reference = parse_reference(arguments.tag)
    if reference.store:
        raise InputError(
            f"a tag {arguments.tag!r} with a store", expected="NAME:TAG alone", hint="The store stands before --tag."
        )
    done = push(arguments.pack, open_store(arguments.store), reference, on_bytes=_counter())
    return {"tag": str(reference), "store": arguments.store, **asdict(done)}, 0


def _pull(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from cousins.pack.transfer.pull import pull
    from cousins.pack.transfer.registry import parse_reference
    from cousins.pack.transfer.selection import Selection

    reference = parse_reference(arguments.reference)
    if arguments.store is not None:
        if reference.store not in ("", arguments.store):
            raise InputError("two stores", expected="one, with @ or with --from", hint="Leave one of them out.")
        reference = replace(reference, store=arguments.store)
    if arguments.count is not None and arguments.count < 1:
        raise InputError(f"a count of {arguments.count}", expected="at least 1", hint="Leave --count out for all.")
    selection = Selection(split=arguments.split, count=arguments.count, numbers=tuple(arguments.cousin))
    done = pull(reference, arguments.output, selection=selection, on_bytes=_counter())
    for text in done.fallbacks:
        sys.stderr.write(f"fallback: {text}\n")
    return {"pack": str(arguments.output), **asdict(done)}, 0


def _diff(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from cousins.pack.comparison import compare_packs
    from cousins.pack.transfer.pull import open_pack

    first, second = open_pack(arguments.first), open_pack(arguments.second)
    numbers = []
    for text, pack in ((arguments.first, first), (arguments.second, second)):
        selected = _selected(text)
        numbers.append(pack.indices() if selected is None else selected)
    comparison = compare_packs(first, second, numbers=(numbers[0], numbers[1]))
    return {"first": first.digest, "second": second.digest, **asdict(comparison)}, 0


def _gc(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from cousins.pack.transfer.pull import cache_folder
    from cousins.pack.transfer.push import sweep
    from cousins.pack.transfer.registry import open_store

    store: PackStore = open_store(arguments.store or str(cache_folder()))
    is_cache = arguments.store is None
    done = sweep(store, older_than_s=3600.0 * arguments.older_than, dry=arguments.dry_run, parts=is_cache)
    return {"store": store.address, "dry_run": arguments.dry_run, **asdict(done)}, 0


def _export(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from cousins.disk_errors import require_room
    from cousins.pack.transfer.pull import open_pack
    from cousins.scene.scene_folder import write_scene
    from flows.execution.publish import require_free

    require_free(arguments.output, force=arguments.force)
    require_room(arguments.output)
    pack = open_pack(arguments.pack)
    cousin = pack.cousin(arguments.cousin)
    digest = write_scene(pack.scene(arguments.cousin), arguments.output)
    return {
        "scene": str(arguments.output),
        "digest": digest,
        "cousin": cousin.index,
        "split": cousin.split,
        "distances": dict(cousin.distances),
    }, 0


def _gallery(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from cousins.pack.packs import open_folder, selection_of
    from flows.reporting.pack_gallery import write_gallery

    pack = open_folder(arguments.pack)
    numbers = selection_of(arguments.pack)
    available = pack.indices() if numbers is None else numbers
    return write_gallery(pack, arguments.pack, available, count=arguments.count, progress=_drawn), 0


_ACTIONS: dict[str, Callable[[argparse.Namespace], tuple[dict[str, Any], int]]] = {
    "info": _info,
    "verify": _verify,
    "ls": _ls,
    "push": _push,
    "pull": _pull,
    "diff": _diff,
    "gc": _gc,
    "export": _export,
    "gallery": _gallery,
}


def _selected(text: str) -> list[int] | None:
    from cousins.pack.packs import selection_of

    return selection_of(Path(text)) if Path(text).is_dir() else None


def _counter() -> Callable[[int], None]:
    """Return a callback that receives byte counts and prints every ten megabytes."""
    count = [0, 0]

    def count_bytes(more: int) -> None:
        count[0] += more
        if count[0] - count[1] >= 10_000_000:
            count[1] = count[0]
            sys.stderr.write(f"  {count[0] / 1e6:.0f} MB\n")
            sys.stderr.flush()

    return count_bytes


def _drawn(done: int, total: int) -> None:
    if done % 20 == 0 or done == total:
        sys.stderr.write(f"  drawn {done} of {total}\n")
        sys.stderr.flush()


def _format_verification(result: dict[str, Any]) -> list[str]:
    lines = [f"bad: {problem['where']}: {problem['trouble']}" for problem in result["bad"]]
    lines += [f"extra: {name} is not of the pack" for name in result["extra"]]
    if not result["ok"]:
        return [*lines, "not as it was written: pull it again"]
    read = ", every cousin read" if result["deep"] else ""
    size = f"{result['files']} files, {size_text(result['bytes'])}, {result['seconds']:.2f} s"
    return [*lines, f"whole: {result['cousins']} cousins, {size}{read}", f"digest sha256:{result['digest']}"]


def _format_listing(result: dict[str, Any]) -> list[str]:
    rows = [
        [entry["tag"], f"sha256:{entry['digest'][:16]}…", str(entry.get("cousins", ""))] for entry in result["packs"]
    ]
    if not rows:
        return [f"no packs at {result['store']}"]
    return [*table(["pack", "digest", "cousins"], rows), "", f"store  {result['store']}"]


def _format_comparison(result: dict[str, Any]) -> list[str]:
    if result["same"]:
        return ["the same pack"]
    lines = [f"{change['where']}: {change['first']} → {change['second']}" for change in result["changes"]]
    if result["more"]:
        lines.append(f"and {result['more']} more")
    counts = ", ".join(f"{axis} {count}" for axis, count in sorted(result["cousins"].items()))
    lines.append(f"cousins that both have: {counts or 'none'}")
    return [*lines, f"only in the first {result['only_first']}, only in the second {result['only_second']}"]


_FORMATS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "info": format_pack,
    "verify": _format_verification,
    "ls": _format_listing,
    "diff": _format_comparison,
    "push": lambda result: [
        f"{result['tag']} at {result['store']}: {result['files']} files, {size_text(result['bytes'])} sent",
        f"digest  sha256:{result['digest']}",
    ],
    "pull": lambda result: [
        (
            f"{result['pack']}: {result['cousins']} cousins, {size_text(result['bytes'])}, "
            f"{size_text(result['moved'])} moved"
        ),
        f"digest  sha256:{result['digest']}",
    ],
    "gc": lambda result: [
        (
            f"{'would go' if result['dry_run'] else 'gone'}: {result['manifests']} packs, {result['files']} files, "
            f"{size_text(result['bytes'])}; {result['kept']} files stay at {result['store']}"
        )
    ],
    "export": lambda result: [f"{result['scene']}/scene.usda: cousin {result['cousin']}, {result['split']}"],
    "gallery": lambda result: [
        f"{result['drawn']} cousins drawn",
        f"page    {result['gallery']}",
        f"card    {result['card']}",
    ],
}
