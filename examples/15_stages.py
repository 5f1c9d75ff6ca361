"""Run the stages of a scan one by one, with a look at what each makes; the twin is the one that `cousins scan` makes.

Values go in and values come out: a capture, a segmentation, assets, a scene. Nothing is kept between the calls.
"""

import argparse
import json
import tempfile
from pathlib import Path

import cousins

DEMO = Path(__file__).parents[1] / "assets/demo_capture/capture"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of example 01, to compare with")
arguments = parser.parse_args()

try:
    capture: cousins.Capture = cousins.read_capture(DEMO)
    print(f"{len(capture.frames)} frames by {capture.app}, metres by {capture.scale.source}")

    refined = cousins.refine_poses(capture)
    segmentation: cousins.Segmentation = cousins.segment_capture(refined.capture, seed=0)
    print(f"{len(segmentation.segments)} segments over {len(segmentation.planes)} planes")

    objects = cousins.reconstruct_objects(refined.capture, segmentation, seed=0)
    print("not rebuilt:", [item.failure for item in objects if item.placed is None] or "none")

    scene = cousins.settle(cousins.assemble_twin(capture, refined, segmentation, objects)).scene
except cousins.CousinsError as error:
    raise SystemExit(str(error)) from error

fidelity: cousins.Fidelity = cousins.measure_fidelity(scene, refined.capture, segmentation)
print(f"{fidelity.verdict}: explains {fidelity.explained:.1%} of {fidelity.frames} frames that it was not made from")

with tempfile.TemporaryDirectory() as scratch:
    digest = scene.save(Path(scratch) / "scene")
print(f"digest {digest}")
report = arguments.out / "report.json"
if report.is_file():
    print("the same as by `cousins scan`:", json.loads(report.read_text())["digest"] == digest)
