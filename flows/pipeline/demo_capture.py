"""The built-in simulated phone capture with its truth, as a stage."""

from __future__ import annotations

from pathlib import Path

from cousins.codec import decode, encode
from flows.execution.stage import Stage, StageContext
from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import PhoneConfig, Truth, record_capture

CAPTURE, TRUTH = "demo", "truth.bin"
"""Names of the capture folder and the file of its truth in the stage's folder."""
RECORD_RNG = 2
"""Place of the recording's generator among the seed's children."""


def _record(context: StageContext) -> None:
    world_rng, phone_rng = context.rng.spawn(2)
    _, truth = record_capture(demo_world(world_rng), context.folder / CAPTURE, config=PhoneConfig(), rng=phone_rng)
    (context.folder / TRUTH).write_bytes(encode(truth))


def _read_truth(folder: Path) -> Truth:
    return decode(Truth, (folder / TRUTH).read_bytes())


RECORD = Stage(
    name="record", top_package="sim", compute=_record, read=_read_truth, rng_key=(RECORD_RNG,), options=("seed",)
)
