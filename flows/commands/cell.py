"""`cousins cell ACTION`: check, run, stop and release a robot, real or simulated, behind its guard and its watchdog."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cousins.errors import CousinsError, InputError
from cousins.extras import requires_extra
from flows.commands.arguments import add_setting_arguments
from flows.pipeline.policy_loading import actor_of

if TYPE_CHECKING:
    from sim.cells.cell_files import CellFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `cousins cell`, each with its own arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))
    for name, purpose, add in (
        ("check", "measure a cell, and move each joint a little where --move allows it", _add_check),
        ("run", "run a policy on a cell; slow until a check with --move has passed", _add_run),
        ("stop", "stop a cell now, also one that another program runs; it stays stopped", _add_file),
        ("release", "lift a stop, after looking at the robot", _add_release),
        ("calibration", "write the calibration of a Feetech arm from LeRobot's file of it", _add_calibration),
    ):
        action_parser = actions.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
        action_parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        add(action_parser)


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cell", type=Path, metavar="CELL.toml", help="cell file: driver, body, workspace")


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_file(parser)
    parser.add_argument("--move", action="store_true", help="move each joint by 4 %% of its range, a hand on the stop")


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_file(parser)
    parser.add_argument("--policy", required=True, metavar="POLICY", help="policy folder, or ws://HOST:PORT")
    add_setting_arguments(parser, policy_source="a server that does not declare it")
    parser.add_argument("--seconds", type=float, default=10.0, help="duration (10)")
    parser.add_argument("--execute", type=int, metavar="H", help="actions of each answer that are executed (all)")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder for run.json and ticks.jsonl")


def _add_release(parser: argparse.ArgumentParser) -> None:
    _add_file(parser)
    parser.add_argument("--confirm", required=True, metavar="NAME", help="the cell's name, typed by who looked at it")


def _add_calibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lerobot", type=Path, metavar="LEROBOT.json", help="calibration file of LeRobot")
    parser.add_argument("--body", required=True, metavar="NAME", help="body of the arm, as its file names it")
    parser.add_argument("--urdf", type=Path, metavar="FILE", help="its URDF, where the project ships none")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="calibration file to write")


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Carry out the action."""
    with requires_extra("cells"):
        import sim.wire.codec  # noqa: F401
    action: Callable[[argparse.Namespace], tuple[dict[str, Any], int]] = ACTIONS[arguments.action]
    result, code = action(arguments)
    return {"action": arguments.action} | result, code


def _check(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from sim.cells.checks import check_cell, write_check
    from sim.cells.supervision import SupervisedCell

    with SupervisedCell(_cell_file(arguments).plan) as cell:
        check = check_cell(cell, move=arguments.move)
    path = write_check(check)
    return asdict(check) | {"ok": check.ok, "file": str(path)}, 0 if check.ok else 1


def _run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from sim.cells.check_records import speed_share
    from sim.cells.policy_on_cell import prepare
    from sim.cells.running import run_cell
    from sim.cells.supervision import SupervisedCell

    if not 0.0 < arguments.seconds <= 3600.0:
        raise InputError(f"--seconds {arguments.seconds}", expected="more than 0, at most 3600", hint="Give another.")
    if arguments.execute is not None and arguments.execute < 1:
        raise InputError(f"--execute {arguments.execute}", expected="1 or more", hint="Give a larger number.")
    file = _cell_file(arguments)
    policy = actor_of(arguments)
    with ExitStack() as stack:
        cell = stack.enter_context(SupervisedCell(file.plan))
        actions, source = prepare(policy, cell.spec, file.body, execute=arguments.execute)
        share, reason = speed_share(cell.spec)
        if reason:
            sys.stderr.write(f"speed {share:.0%}: {reason}\n")
        record = None
        if arguments.output is not None:
            arguments.output.mkdir(parents=True, exist_ok=True)
            record = stack.enter_context((arguments.output / "ticks.jsonl").open("w", encoding="utf-8"))
        limits = {"seconds": arguments.seconds, "speed_share": share}
        outcome = run_cell(cell, actions, source, record=record, **limits)
    result = asdict(outcome) | {"policy": arguments.policy, "faults": outcome.faults}
    if arguments.output is not None:
        (arguments.output / "run.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result, 1 if outcome.faults else 0


def _stop(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Latch first, so that a run elsewhere stops at its next target; then stop over a line of its own."""
    from cousins.plugins import load_backend
    from sim.cells.latch import Latch
    from sim.cells.supervision import BACKENDS

    file = _cell_file(arguments)
    Latch(file.name).set("stopped by command", by="operator")
    problem = ""
    try:
        line = load_backend(BACKENDS, file.plan.backend, kind="cell").stop_line(file.plan.config)
        line.stop("stopped by command")
        line.close()
    except CousinsError as error:
        problem = str(error)
    return {"cell": file.name, "latched": True, "reached": not problem, "problem": problem}, 1 if problem else 0


def _release(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from sim.cells.latch import Latch

    name = _cell_file(arguments).name
    if arguments.confirm != name:
        raise InputError(
            f"--confirm {arguments.confirm}", expected=name, hint="Type the name of the cell you looked at."
        )
    return {"cell": name, "released": Latch(name).release()}, 0


def _calibration(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from sim.bodies.named import build
    from sim.cells.feetech.calibration import calibration_from_stops, write_calibration

    body = build(arguments.body, urdf=arguments.urdf)
    joints = {joint.name: joint for joint in body.asset.joints}
    limits = {drive.joint: (joints[drive.joint].lower, joints[drive.joint].upper) for drive in body.drives}
    try:
        record = json.loads(arguments.lerobot.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            f"no calibration in {arguments.lerobot.name!r} ({error})"[:200],
            expected="the JSON file that LeRobot wrote",
            hint="It lies in ~/.cache/huggingface/lerobot/calibration/robots.",
        ) from error
    calibration = calibration_from_stops(
        record if isinstance(record, dict) else {}, limits, body=body.name, gripper=next(iter(body.fingers), "")
    )
    write_calibration(calibration, arguments.output)
    errors = {servo.name: round(servo.zero_error_rad, 4) for servo in calibration.servos}
    return {"file": str(arguments.output), "body": body.name, "zero_error_rad": errors}, 0


def _cell_file(arguments: argparse.Namespace) -> CellFile:
    from sim.cells.cell_files import read_cell

    return read_cell(arguments.cell)


ACTIONS: dict[str, Callable[[argparse.Namespace], tuple[dict[str, Any], int]]] = {
    "check": _check,
    "run": _run,
    "stop": _stop,
    "release": _release,
    "calibration": _calibration,
}

COUNTED = {"ticks": "ticks", "late_ticks": "late", "held": "held", "clamped": "clamped"}
"""Counts of a run, and what they are called."""


def format_result(result: dict[str, Any]) -> str:
    """Return the result in words; what no robot gave is labelled so."""
    label = {"sim": " (simulated)", "peer": " (peer: no robot was moved)"}.get(result.get("domain", ""), "")
    if result["action"] == "check":
        lines = [f"{result['cell']}{label}: {'passed' if result['ok'] else 'not passed'}"]
        lines += [f"  {name}: {value}" for name, value in result["numbers"].items() if name != "joints"]
        lines += [f"  {name}: {value}" for name, value in result["numbers"].get("joints", {}).items()]
        lines += [f"  {f['rule']}: {f['where']}: {f['message']}. {f['fix']}" for f in result["findings"]]
        return "\n".join([*lines, f"written to {result['file']}"])
    if result["action"] == "run":
        ages = ", ".join(f"{name} {value} ms" for name, value in result["action_age_ms"].items())
        counts = ", ".join(f"{result[key]} {word}" for key, word in COUNTED.items())
        lines = [f"{result['cell']}{label}: {counts} in {result['seconds']:.1f} s"]
        lines.append(f"age of actions: {ages or 'none was executed'}")
        return "\n".join([*lines, *(f"fault: {fault}" for fault in result["faults"])])
    if result["action"] == "stop":
        reached = "the robot holds" if result["reached"] else f"NOT REACHED: {result['problem']}. Use the hardware stop"
        return f"{result['cell']} is stopped: {reached}. `cousins cell release` lifts it."
    if result["action"] == "release":
        return f"{result['cell']} may move again; it was stopped: {result['released']}"
    return f"{result['file']}: zeros are off by at most {max(result['zero_error_rad'].values()):.4f} rad"
