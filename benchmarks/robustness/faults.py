"""Kills and disk faults at the write points of commands that publish: nothing lost, nothing left behind.

Each trial runs a command with small inputs from the same state, in a fork of this process, where a shim (`cc` compiles
`write_faults.c`, LD_PRELOAD loads it) counts the calls that change files: making, writing, syncing, renaming, linking.

- Kill: the command is killed (-9) at its k-th write point, at instants spread over all of them. Then no process of it
  may live after 5 s; what lies at the output must be absent or whole; and the same command, typed again (`train` with
  --resume where there is a checkpoint), must end with the digest of the undisturbed run and leave no other file.
- Write faults (`--writes`): from the k-th write point on the disk is full (ENOSPC) or broken (EIO), or the k-th write
  is short. The command must name it, as an error for its user, or for a short write end as if nothing had happened;
  and what lies at the output must be absent or whole.

A scan and `vary` find finished stages in the store, so what is disturbed is reading, publishing and blocks; the store's
own tests kill stages. Temporary files of a killed command are its supervisor's to remove, which its tests cover.

    python benchmarks/robustness/faults.py --quick
    python benchmarks/robustness/faults.py --commands push pull --kills 40 --writes --json
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.pack.packs import open_folder
from cousins.pack.verification import verify
from cousins.scene.scene_folder import read_scene, scene_digest
from cousins.store import Store
from program import program_parser, run_program
from robustness.fault_trials import Bench, Ending, Subject, error_of, tree_digest, with_shim
from rows import Row, at_least, entry, equals

EXPECTED = {"ENOSPC": "no space left", "EIO": "an input/output error"}
"""What an error must say, by fault."""
IMPORTED = ("flows.pipeline.make_pack", "flows.pipeline.run_scan", "sim.train.training")
"""Modules that are imported before the first fork, so that no trial waits for them."""
ROWS = (
    Row(quantity="kills (-9) at write points", value=entry("kills")),
    Row(
        quantity="commands that ended with another digest after a kill",
        bar="0",
        value=entry("other_digests"),
        met=equals(0),
    ),
    Row(quantity="outputs that were half there after a kill", bar="0", value=entry("half"), met=equals(0)),
    Row(quantity="files left behind after the repeated command", bar="0", value=entry("litter"), met=equals(0)),
    Row(quantity="processes that lived 5 s after a kill", bar="0", value=entry("orphans"), met=equals(0)),
    Row(quantity="disk faults at write points", value=entry("write_points")),
    Row(quantity="of these, explained rightly or survived", bar="1", value=entry("explained"), met=at_least(1.0)),
    Row(
        quantity="outputs that were half there after a disk fault", bar="0", value=entry("half_written"), met=equals(0)
    ),
)


def policy_digest(folder: Path) -> str:
    """Return the digest of a policy's arrays, "" where there is no checkpoint that reads back."""
    from sim.train.policies import read_policy

    read_policy(folder)
    return hashlib.sha256((folder / "policy.safetensors").read_bytes()).hexdigest()


def pack_digest(folder: Path) -> str:
    """Return the digest of a pack of which every byte is right."""
    pack = open_folder(folder)
    return pack.digest if verify(folder).ok else ""


def whole_scene(folder: Path) -> str:
    """Return the digest of a scene folder that reads back."""
    read_scene(folder)
    return scene_digest(folder)


def resumed(output: Path) -> tuple[str, ...]:
    """Return what goes on with a training: --resume from its first checkpoint on."""
    return ("--resume",) if (output / "training.json").is_file() else ()


ONE_WORKER = ("--workers", "1")
SUBJECTS = {
    "scan": Subject(words=("scan", "{inputs}/box.stl", "-o", "{trial}/scene"), output="scene", digest=whole_scene),
    "vary": Subject(
        words=(
            "vary",
            "{inputs}/scene",
            "-n",
            "8",
            "-o",
            "{trial}/pack",
            "--recipe",
            "{inputs}/recipe.toml",
            *ONE_WORKER,
        ),
        output="pack",
        digest=pack_digest,
    ),
    "push": Subject(
        words=("pack", "push", "{inputs}/pack", "{trial}/registry", "--tag", "demo:v1"),
        output="registry",
        digest=tree_digest,
    ),
    "pull": Subject(
        words=("pack", "pull", "demo:v1@{inputs}/registry", "-o", "{trial}/pulled"), output="pulled", digest=pack_digest
    ),
    "train": Subject(
        words=("train", "{inputs}/pack", "-o", "{trial}/policy", "--steps", "64", "--rows", "2", "--twin-first", "0"),
        output="policy",
        digest=policy_digest,
        again=resumed,
    ),
    "label": Subject(words=("label", "{trial}/scene", "box", "wooden box"), output="scene", digest=whole_scene),
}


@dataclass
class Tally:
    """What was counted for one command."""

    kills: int = 0
    other_digests: int = 0
    half: int = 0
    litter: list[str] = field(default_factory=list)
    orphans: int = 0
    write_points: int = 0
    explained_faults: int = 0
    half_written: int = 0
    wrong: list[str] = field(default_factory=list)
    """The first answers that were not right."""


def main() -> None:
    parser = program_parser(__doc__, quick="4 kills and 6 write faults of each command", seed=0)
    parser.add_argument("--commands", nargs="*", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--kills", type=int, default=40, help="instants of each command (40)")
    parser.add_argument("--writes", action="store_true", help="also faults of the disk")
    parser.add_argument("--points", type=int, default=10**6, help="write points of each fault and command (all)")
    parser.add_argument("--work", type=Path, help="keep the inputs and finished stages there, for a following run")
    parser.parse_args()
    with_shim()
    run_program(parser, measure)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Disturb every command, and return the counts in all and of each."""
    quick = arguments.quick
    kills, points = (4, 2) if quick else (arguments.kills, arguments.points)
    rng = np.random.default_rng(arguments.seed)
    by_command: dict[str, dict[str, Any]] = {}
    root = arguments.work or Path(tempfile.mkdtemp(prefix="cousins-faults-"))
    root.mkdir(exist_ok=True)
    try:
        bench = Bench(root)
        prepare(bench, arguments.commands)
        for name in arguments.commands:
            tally = disturb(bench, name, kills, points if quick or arguments.writes else 0, rng)
            by_command[name] = vars(tally)
            print(f"{name}: {json.dumps(vars(tally))}", file=sys.stderr)
    finally:
        if arguments.work is None:
            shutil.rmtree(root)
    total = {
        key: sum(_number(counts[key]) for counts in by_command.values()) for key in vars(Tally()) if key != "wrong"
    }
    share = total["explained_faults"] / max(total["write_points"], 1)
    return {"quick": quick, **total, "explained": share, "commands": by_command}


def prepare(bench: Bench, commands: Sequence[str]) -> None:
    """Write the inputs, and fill the template's store with finished stages."""
    from tests.cousins.pack.packs_for_tests import small_pack
    from tests.flows.tiny_for_tests import write_tiny

    for module in IMPORTED:
        importlib.import_module(module)
    if not (bench.inputs / "box.stl").exists():
        write_tiny(bench.inputs)
        small_pack(bench.inputs / "pack", count=6)
        trimesh.creation.box((0.1, 0.2, 0.15)).export(bench.inputs / "box.stl")
    for name in {"scan", "vary"} & set(commands):
        bench.reset()
        _finished(bench.run(bench.words(SUBJECTS[name])), name)
        shutil.rmtree(bench.template / "store")
        shutil.copytree(bench.trial / "store", bench.template / "store")
    push = [word.replace("{trial}", "{inputs}") for word in SUBJECTS["push"].words]
    _finished(bench.run([word.format(inputs=bench.inputs) for word in push]), "push")


def disturb(bench: Bench, name: str, kills: int, points: int, rng: np.random.Generator) -> Tally:
    """Run one command undisturbed, then killed, then on a bad disk."""
    subject, tally = SUBJECTS[name], Tally()
    if name == "label":
        shutil.copytree(bench.inputs / "scene", bench.template / "scene")
    bench.reset()
    first = _finished(bench.run(bench.words(subject)), name)
    good, tree = subject.digest(bench.trial / subject.output), _swept_tree(bench)
    allowed = {"", good, *([subject.digest(bench.template / subject.output)] if name == "label" else [])}
    for point in _instants(first.points, kills, rng):
        _kill(bench, subject, point, tally, good=good, allowed=allowed, tree=tree)
    for kind in ("ENOSPC", "EIO", "short write"):
        for point in _instants(first.points, points, rng):
            _fail(bench, subject, kind, point, tally, good=good, allowed=allowed)
    shutil.rmtree(bench.template / "scene", ignore_errors=True)
    return tally


def _kill(
    bench: Bench, subject: Subject, point: int, tally: Tally, *, good: str, allowed: set[str], tree: set[str]
) -> None:
    bench.reset()
    ending = bench.run(bench.words(subject), "kill", point)
    tally.kills += ending.code == -9
    tally.orphans += bench.orphans()
    tally.half += _digest(bench, subject) not in allowed and subject.output not in ("registry", "policy")
    again = bench.run(bench.words(subject, *subject.again(bench.trial / subject.output)))
    tally.other_digests += _digest(bench, subject) != good
    tally.litter += sorted(_swept_tree(bench) - tree)
    if again.code != 0:
        _note(tally, f"again after a kill at {point}: exit {again.code}, {again.text[:300]} {again.log[-300:]}")


def _fail(bench: Bench, subject: Subject, kind: str, point: int, tally: Tally, *, good: str, allowed: set[str]) -> None:
    bench.reset()
    ending = bench.run(bench.words(subject), kind, point)
    tally.write_points += 1
    survived = ending.code == 0 and _digest(bench, subject) == good
    error = error_of(ending)
    explained = ending.code == 1 and error.get("kind") == "ResourceError" and "bug" not in ending.log
    explained = explained and EXPECTED.get(kind, "-") in error.get("found", "")
    tally.explained_faults += survived or explained
    if not survived and not explained:
        _note(tally, f"{kind} at {point}: exit {ending.code}, {ending.text[:300]} {ending.log[-500:]}")
    tally.half_written += _digest(bench, subject) not in allowed and subject.output not in ("registry", "policy")


def _digest(bench: Bench, subject: Subject) -> str:
    """Return the digest of what lies at the output, "" for nothing, "half" for what cannot be read."""
    output = bench.trial / subject.output
    marks = {"pack": "pack.json", "pulled": "pack.json"}
    if not output.exists() or not (output / marks.get(subject.output, "")).exists():
        return ""
    try:
        return subject.digest(output) or "half"
    except Exception as error:  # noqa: BLE001
        return f"half: {error}"


def _swept_tree(bench: Bench) -> set[str]:
    Store(bench.trial / "store").gc(keep_bytes=8_000_000_000)
    return bench.tree()


def _instants(points: int, count: int, rng: np.random.Generator) -> list[int]:
    """Return write points, all of them or a random one of each of `count` equal stretches."""
    if count >= points:
        return list(range(1, points + 1))
    edges = np.linspace(1, points + 1, count + 1)
    return [int(rng.integers(int(low), max(int(high), int(low) + 1))) for low, high in pairwise(edges)]


def _finished(ending: Ending, name: str) -> Ending:
    if ending.code != 0:
        raise SystemExit(f"{name} failed undisturbed: {ending.text} {ending.log[-4000:]}")
    return ending


def _note(tally: Tally, text: str) -> None:
    if len(tally.wrong) < 5:
        tally.wrong.append(text)


def _number(value: Any) -> int:
    return len(value) if isinstance(value, list) else int(value)


if __name__ == "__main__":
    main()
