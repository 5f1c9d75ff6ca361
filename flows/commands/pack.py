"""`cousins pack ACTION`: what is in packs, whether they are whole, and their way to and from stores."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cousins.errors import InputError
from cousins.pack.comparison import compare
from cousins.pack.manifests import read_manifest
from cousins.pack.packs import open_folder, selection_of
from cousins.pack.transfer.pull import cache_folder, open_pack, pull
from cousins.pack.transfer.push import push, sweep
from cousins.pack.transfer.registry import PackStore, open_store, parse_reference, tags
from cousins.pack.transfer.selection import Selection
from cousins.pack.verification import verify
from cousins.scene.scene_folder import write_scene
from flows.reporting.formatting import size_text, table, told_pack
from flows.reporting.pack_gallery import write_gallery


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Do what the action says."""
    result, code = _ACTIONS[arguments.action](arguments)
    return {"action": arguments.action, **result}, code


def told(result: dict[str, Any]) -> str:
    """Return the result in words."""
    return "\n".join(_TOLD[result["action"]](result))


def _info(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    pack = open_pack(arguments.pack)
    there = _selected(arguments.pack)
    return {**pack.info(), "here": len(pack) if there is None else len(there), "ok": True, "bad": []}, 0


def _verify(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    began = time.perf_counter()
    found = verify(arguments.pack, digest=arguments.digest, deep=arguments.deep)
    seconds = time.perf_counter() - began
    result = asdict(found) | {"ok": found.ok, "seconds": round(seconds, 3), "deep": arguments.deep}
    result["bad"] = [{"where": where, "trouble": trouble} for where, trouble in found.bad]
    return result, 0 if found.ok else 1


def _ls(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    if arguments.store is not None:
        store = open_store(arguments.store)
        return {"store": store.address, "packs": [{"tag": tag, "digest": one} for tag, one in tags(store).items()]}, 0
    packs = []
    for path in sorted((cache_folder() / "packs").glob("*.json")):
        manifest = read_manifest(path.read_bytes(), digest=path.stem)
        packs.append({"tag": manifest.meta.name, "digest": path.stem, "cousins": manifest.cousins})
    return {"store": str(cache_folder()), "packs": packs}, 0


def _push(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    reference = parse_reference(arguments.tag)
    if reference.store:
        raise InputError(
            f"a tag {arguments.tag!r} with a store", expected="NAME:TAG alone", hint="The store stands before --tag."
        )
    done = push(arguments.pack, open_store(arguments.store), reference, tell=_counter())
    return {"tag": str(reference), "store": arguments.store, **asdict(done)}, 0


def _pull(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    reference = parse_reference(arguments.reference)
    if arguments.store is not None:
        if reference.store not in ("", arguments.store):
            raise InputError("two stores", expected="one, with @ or with --from", hint="Leave one of them out.")
        reference = replace(reference, store=arguments.store)
    if arguments.count is not None and arguments.count < 1:
        raise InputError(f"a count of {arguments.count}", expected="at least 1", hint="Leave --count out for all.")
    selection = Selection(split=arguments.split, count=arguments.count, numbers=tuple(arguments.cousin))
    done = pull(reference, arguments.output, selection=selection, tell=_counter())
    for text in done.fallbacks:
        sys.stderr.write(f"fallback: {text}\n")
    return {"pack": str(arguments.output), **asdict(done)}, 0


def _diff(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    first, second = open_pack(arguments.first), open_pack(arguments.second)
    numbers = []
    for text, pack in ((arguments.first, first), (arguments.second, second)):
        there = _selected(text)
        numbers.append(pack.indices() if there is None else there)
    found = compare(first, second, numbers=(numbers[0], numbers[1]))
    return {"first": first.digest, "second": second.digest, **asdict(found)}, 0


def _gc(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    store: PackStore = open_store(arguments.store or str(cache_folder()))
    mine = arguments.store is None
    done = sweep(store, older_than_s=3600.0 * arguments.older_than, dry=arguments.dry_run, parts=mine)
    return {"store": store.address, "dry_run": arguments.dry_run, **asdict(done)}, 0


def _export(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
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
    pack = open_folder(arguments.pack)
    numbers = selection_of(arguments.pack)
    there = pack.indices() if numbers is None else numbers
    return write_gallery(pack, arguments.pack, there, count=arguments.count, tell=_drawn), 0


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
    return selection_of(Path(text)) if Path(text).is_dir() else None


def _counter() -> Callable[[int], None]:
    """Return what hears of bytes and tells of every ten megabytes."""
    count = [0, 0]

    def tell(more: int) -> None:
        count[0] += more
        if count[0] - count[1] >= 10_000_000:
            count[1] = count[0]
            sys.stderr.write(f"  {count[0] / 1e6:.0f} MB\n")
            sys.stderr.flush()

    return tell


def _drawn(done: int, total: int) -> None:
    if done % 20 == 0 or done == total:
        sys.stderr.write(f"  drawn {done} of {total}\n")
        sys.stderr.flush()


def _told_verify(result: dict[str, Any]) -> list[str]:
    lines = [f"bad: {one['where']}: {one['trouble']}" for one in result["bad"]]
    lines += [f"extra: {name} is not of the pack" for name in result["extra"]]
    if not result["ok"]:
        return [*lines, "not as it was written: pull it again"]
    read = ", every cousin read" if result["deep"] else ""
    size = f"{result['files']} files, {size_text(result['bytes'])}, {result['seconds']:.2f} s"
    return [*lines, f"whole: {result['cousins']} cousins, {size}{read}", f"digest sha256:{result['digest']}"]


def _told_ls(result: dict[str, Any]) -> list[str]:
    rows = [[one["tag"], f"sha256:{one['digest'][:16]}…", str(one.get("cousins", ""))] for one in result["packs"]]
    if not rows:
        return [f"no packs at {result['store']}"]
    return [*table(["pack", "digest", "cousins"], rows), "", f"store  {result['store']}"]


def _told_diff(result: dict[str, Any]) -> list[str]:
    if result["same"]:
        return ["the same pack"]
    lines = [f"{one['where']}: {one['first']} → {one['second']}" for one in result["changes"]]
    if result["more"]:
        lines.append(f"and {result['more']} more")
    counts = ", ".join(f"{axis} {count}" for axis, count in sorted(result["cousins"].items()))
    lines.append(f"cousins that both have: {counts or 'none'}")
    return [*lines, f"only in the first {result['only_first']}, only in the second {result['only_second']}"]


_TOLD: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "info": told_pack,
    "verify": _told_verify,
    "ls": _told_ls,
    "diff": _told_diff,
    "push": lambda one: [
        f"{one['tag']} at {one['store']}: {one['files']} files, {size_text(one['bytes'])} sent",
        f"digest  sha256:{one['digest']}",
    ],
    "pull": lambda one: [
        f"{one['pack']}: {one['cousins']} cousins, {size_text(one['bytes'])}, {size_text(one['moved'])} moved",
        f"digest  sha256:{one['digest']}",
    ],
    "gc": lambda one: [
        (
            f"{'would go' if one['dry_run'] else 'gone'}: {one['manifests']} packs, {one['files']} files, "
            f"{size_text(one['bytes'])}; {one['kept']} files stay at {one['store']}"
        )
    ],
    "export": lambda one: [f"{one['scene']}/scene.usda: cousin {one['cousin']}, {one['split']}"],
    "gallery": lambda one: [f"{one['drawn']} cousins drawn", f"page    {one['gallery']}", f"card    {one['card']}"],
}
