"""`cousins demo`: a simulated phone capture with known truth, a scan of it, and a tiny policy from its cousins."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cousins.codec import decode, encode
from flows.execution.executor import Desk, Options, Stage
from flows.execution.progress import told_stages
from flows.execution.publish import require_free
from flows.pipeline.backend_choice import choices
from flows.pipeline.first_policy import first_policy, told_policy
from flows.pipeline.ground_truth import compare
from flows.pipeline.run_scan import Order, default_store, scan
from flows.reporting.formatting import told_scan, told_truth
from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import PhoneConfig, Truth, record

CAPTURE, TRUTH = "demo", "truth.bin"


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Record, scan, compare with the truth; then a small pack, a tiny policy, and how it does."""
    require_free(arguments.output, force=arguments.force)
    options = Options(seed=arguments.seed, **choices(arguments.segmenter, arguments.names))
    store = default_store()
    with told_stages() as tell, store.in_use():
        desk = Desk(store=store, options=options, tell=tell)
        recorded = desk.carry_out(RECORD)
        order = Order(
            source=desk.folder(recorded) / CAPTURE,
            output=arguments.output,
            options=options,
            runner=arguments.runner,
            force=arguments.force,
        )
        truth: Truth = desk.read(RECORD, recorded)
        result = scan(order, tell=tell, store=store, judge=lambda scene: {"truth": compare(scene, truth)})
        if arguments.policy:
            result["policy"] = first_policy(desk, arguments.output)
        return result, 0


def told(result: dict[str, Any]) -> str:
    """Return what was made, and how far it is from the truth."""
    policy = ["", *told_policy(result["policy"])] if "policy" in result else []
    return "\n".join([told_scan(result), "", *told_truth(result["truth"]), *policy])


def _record(desk: Desk, folder: Path) -> None:
    of_world, of_phone = desk.rng(2).spawn(2)
    _, truth = record(demo_world(of_world), folder / CAPTURE, config=PhoneConfig(), rng=of_phone)
    (folder / TRUTH).write_bytes(encode(truth))


def _read_truth(folder: Path) -> Truth:
    return decode(Truth, (folder / TRUTH).read_bytes())


RECORD = Stage(name="record", top="sim", work=_record, read=_read_truth, options=("seed",))
