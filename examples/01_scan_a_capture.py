"""Turn a phone capture into a twin.

The capture that ships with the project, a desk filmed by the simulated phone, goes through the same stages as with
`cousins scan`, into a scene folder: OpenUSD, URDF, MJCF and a report. Give `--capture` to take an export of your own.
Results are kept by content, so a second run only reads them.
"""

import argparse
from pathlib import Path

import cousins

DEMO = Path(__file__).parents[1] / "assets/demo_capture/capture"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder to write")
parser.add_argument("--capture", type=Path, default=DEMO, help="a phone export (the demo capture)")
arguments = parser.parse_args()

try:
    options = cousins.ScanOptions(seed=0)
    result: cousins.ScanResult = cousins.scan(arguments.capture, arguments.out, options=options, force=True)
except cousins.InputError as error:
    raise SystemExit(f"found {error.found}; expected {error.expected}. {error.hint}") from error

for placed in result.scene.objects:
    size_cm = " × ".join(f"{100 * side:.1f}" for side in placed.asset.size_m)
    mass = placed.asset.links[0].mass_kg
    fixed = ", fixed in place" if placed.fixed else ""
    print(f"{placed.asset.name:<10} {size_cm} cm, {mass.value:.3f} kg ({mass.low:.3f} to {mass.high:.3f}){fixed}")
print("gates:", "passed" if result.gates.passed else "not passed")
print("fallbacks:", *(result.fallbacks or ["none"]), sep="\n  ")
print(f"look at {result.folder / 'report.html'}; digest {result.digest}")
