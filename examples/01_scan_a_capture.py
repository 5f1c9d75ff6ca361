"""Turn a phone capture into a twin from Python, without Prefect.

A simulated phone walks around a desk for a few seconds. The recording goes through the same stages that
`cousins scan` runs, into a scene folder: OpenUSD, URDF, MJCF, a report. Give `--capture` to take a real
export instead. Results are kept by content, so a second run only reads them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from cousins.store import Store
from flows.execution.executor import Options
from flows.pipeline.run_scan import Order, scan
from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import PhoneConfig, record_capture

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("out/twin"))
parser.add_argument("--capture", type=Path, help="a phone export; a simulated one where not given")
given = parser.parse_args()

with tempfile.TemporaryDirectory() as scratch:
    capture = given.capture
    if capture is None:
        capture = Path(scratch) / "desk"
        record_capture(
            demo_world(np.random.default_rng(1)), capture, config=PhoneConfig(frames=24), rng=np.random.default_rng(2)
        )
    order = Order(source=capture, output=given.out, options=Options(seed=0), runner="plain", force=True)
    result = scan(order, store=Store(Path(scratch) / "store"))

for asset in result["assets"]:
    size = " × ".join(f"{100 * side:.1f}" for side in asset["size_m"])
    mass = asset["mass_kg"]
    print(f"{asset['name']:<10} {size} cm, {mass['value']:.3f} kg ({mass['low']:.3f} to {mass['high']:.3f})")
print("every fallback:", result["fallbacks"] or "none")
print("look at", given.out / "report.html")
