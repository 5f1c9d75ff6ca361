"""`cousins check` on files that this project did not make: faults planted and found, alarms on clean files, crashes.

Clean: Apple RoomPlan packages, scanned objects, cabinets and robots of the input set as MuJoCo compiles them (robots
once with links below links), and any USD in `--usd`. An alarm is a warning or an error; the expected ones are faults
of the files themselves, named here with the reason. Into each file every fault of `scenes/usd_faults.py` that has a
place is planted, one at a time. Last, bytes are flipped at random, and the process that reads the file must end in
findings.

    python benchmarks/robustness/check_foreign.py --quick
    python benchmarks/robustness/check_foreign.py --data DIR --usd DIR --json
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from pxr import Usd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.findings import Finding
from cousins.scene.checks import check_usd
from cousins.scene.usd.check_worker import check_file
from program import DATA, program_parser, run_program
from rows import Row, at_least, at_most, entry
from scenes.mjcf_usd import write_usd
from scenes.usd_faults import ANY, PHYSICAL, Fault, bodies

TRUE_ALARMS = {
    ("so101", "rigid-body-without-collider"): "base has four visual geoms and no colliding one in the MJCF",
    ("gripper_frame", "usd:RigidBodyChecker.InertiaInvalidValues"): "a frame of zero inertia in the URDF",
}
"""Faults that the sources have themselves: part of the file's name or of the place, and the rule."""
ROWS = (
    Row(
        quantity="planted faults that `cousins check` finds in files of others",
        bar="all",
        value=lambda result: result["found"] / result["planted"],
        met=at_least(1.0),
    ),
    Row(quantity="planted faults", value=entry("planted")),
    Row(quantity="files of others", value=entry("files")),
    Row(quantity="false alarms on them as they are", bar="0", value=entry("false_alarms"), met=at_most(0)),
    Row(quantity="faults that they have themselves", value=entry("true_alarms")),
    Row(quantity="spoilt files", value=entry("spoilt", "files")),
    Row(quantity="spoilt files on which our own rules fail", bar="0", value=entry("spoilt", "ours"), met=at_most(0)),
)


def main() -> None:
    parser = program_parser(__doc__, quick="four files, few spoilt ones", data=DATA, seed=0)
    parser.add_argument("--usd", type=Path, help="folder of more files that are clean, a folder each")
    run_program(parser, measure, hidden=("by_file",))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, root in _clean_files(arguments, Path(scratch)):
            results[name] = _measure(name, root, Path(scratch) / "planted")
            if not arguments.json:
                print(name, {key: value for key, value in results[name].items() if value}, flush=True)
        crashes = _spoil(Path(scratch), 20 if arguments.quick else 60, np.random.default_rng(arguments.seed))
    return {
        "files": len(results),
        "planted": sum(result["planted"] for result in results.values()),
        "found": sum(result["found"] for result in results.values()),
        "missed": sorted(f"{name}: {fault}" for name, result in results.items() for fault in result["missed"]),
        "false_alarms": sum(len(result["false_alarms"]) for result in results.values()),
        "true_alarms": sum(len(result["true_alarms"]) for result in results.values()),
        "spoilt": crashes,
        "seconds": round(time.monotonic() - began, 1),
        "by_file": results,
    }


def _clean_files(arguments: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Yield a name and the root layer of each file that nothing was planted in."""
    data: Path = arguments.data
    packages = sorted([*data.glob("captures/roomplan*/*.usdz"), *data.glob("restricted/roomplan*/*.usdz")])
    objects = sorted(data.glob("objects/gso/*/model.xml"))
    cabinets = sorted(data.glob("articulated/libero/*.xml"))
    robots = [data / "robots/franka_emika_panda/panda.xml", data / "robots/so101/so101_new_calib.xml"]
    models = [(path, False) for path in (*objects, *cabinets, *robots)] + [(path, True) for path in robots]
    if arguments.quick:
        packages, models = packages[:1], [models[0], (cabinets[0], False), (robots[0], True)]
    for path in packages:
        yield path.stem, path
    for path, nested in models:
        stem = path.parent.name if path.name == "model.xml" else path.stem
        name = f"{stem}{' nested' if nested else ''}"
        folder = scratch / name.replace(" ", "_")
        folder.mkdir()
        write_usd(mujoco.MjModel.from_xml_path(str(path)), folder / "model.usdc", nested=nested)
        yield name, folder / "model.usdc"
    for folder in sorted(arguments.usd.iterdir()) if arguments.usd else ():
        yield f"given {folder.name}", next(iter(sorted(folder.glob("*.usd*"))))


def _measure(name: str, root: Path, planted: Path) -> dict[str, Any]:
    alarms = [finding for finding in check_file(root) if finding.severity != "info"]
    true_alarms = [finding for finding in alarms if _is_true(finding, name)]
    result: dict[str, Any] = {
        "false_alarms": [
            f"{alarm.rule} at {alarm.where}: {alarm.message}" for alarm in alarms if alarm not in true_alarms
        ],
        "true_alarms": [f"{alarm.rule} at {alarm.where}: {alarm.message}" for alarm in true_alarms],
        "planted": 0,
        "found": 0,
        "missed": [],
    }
    if root.suffix == ".usdz":
        return result
    physical = bool(bodies(Usd.Stage.Open(str(root))))
    for fault, rule in ((PHYSICAL if physical else {}) | ANY).items():
        is_found = _plant(root, planted, fault, rule, clean=alarms)
        if is_found is not None:
            result["planted"] += 1
            result["found"] += is_found
            result["missed"] += [] if is_found else [fault.__name__]
    return result


def _is_true(finding: Finding, name: str) -> bool:
    return any(
        part in f"{name} {finding.where} {finding.message}" and finding.rule == rule for part, rule in TRUE_ALARMS
    )


def _plant(root: Path, folder: Path, fault: Fault, rule: str, *, clean: list[Finding]) -> bool | None:
    """Return whether a planted fault is found; None where the file has no place for it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root.parent, folder)
    stage = Usd.Stage.Open(str(folder / root.name))
    if fault(stage) is False:
        return None
    stage.GetRootLayer().Save()
    del stage
    before = sum(finding.rule == rule for finding in clean)
    return sum(alarm.rule == rule and alarm.severity != "info" for alarm in check_file(folder / root.name)) > before


def _spoil(scratch: Path, count: int, rng: np.random.Generator) -> dict[str, Any]:
    """Flip bytes of layers as text and as crate, and count how the child that reads them ends."""
    crate = next(iter(sorted(scratch.glob("*/model.usdc"))))
    text = scratch / "text.usda"
    Usd.Stage.Open(str(crate)).Export(str(text))
    folder = scratch / "spoilt"
    outcome = {"files": 0, "readable": 0, "findings": 0, "ours": 0, "slowest_s": 0.0}
    for index in range(count):
        source = (text, crate)[index % 2]
        data = bytearray(source.read_bytes())
        for place in rng.integers(len(data), size=int(rng.integers(1, 20))):
            data[place] = int(rng.integers(256))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = folder / f"x{source.suffix}"
        path.write_bytes(bytes(data))
        began = time.monotonic()
        findings = check_usd(path)
        outcome["slowest_s"] = max(outcome["slowest_s"], round(time.monotonic() - began, 2))
        outcome["files"] += 1
        outcome["readable"] += not any(finding.rule.startswith("unreadable") for finding in findings)
        outcome["findings"] += bool(findings)
        outcome["ours"] += any(finding.message.endswith("ended with code 1") for finding in findings)
    return outcome


if __name__ == "__main__":
    main()
