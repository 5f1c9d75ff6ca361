"""`cousins demo`: a simulated phone capture with known truth, then a scan of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cousins.codec import decode, encode
from flows.choices import choices
from flows.desk import Desk, Options, Stage
from flows.progress import told_stages
from flows.publish import require_free
from flows.run import Order, default_store, scan
from flows.truth import compare
from flows.words import told_scan, told_truth
from sim.demo import demo_world
from sim.phone import PhoneConfig, Truth, record

CAPTURE, TRUTH = "demo", "truth.bin"


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Record, scan, compare with the truth."""
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
        return scan(order, tell=tell, store=store, judge=lambda scene: {"truth": compare(scene, truth)}), 0


def told(result: dict[str, Any]) -> str:
    """Return what was made, and how far it is from the truth."""
    return "\n".join([told_scan(result), "", *told_truth(result["truth"])])


def _record(desk: Desk, folder: Path) -> None:
    of_world, of_phone = desk.rng(2).spawn(2)
    _, truth = record(demo_world(of_world), folder / CAPTURE, config=PhoneConfig(), rng=of_phone)
    (folder / TRUTH).write_bytes(encode(truth))


def _read_truth(folder: Path) -> Truth:
    return decode(Truth, (folder / TRUTH).read_bytes())


RECORD = Stage(name="record", top="sim", work=_record, read=_read_truth, options=("seed",))
