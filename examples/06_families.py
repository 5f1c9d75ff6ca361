"""Make objects by program, measure what they afford, and ask which could stand in the place of another.

A family makes objects of one kind in all sizes, with convex pieces, masses and joints. What an object affords is
measured on these pieces: where a gripper takes it, what it holds, what stands on it.
"""

import argparse
from pathlib import Path

import numpy as np

import cousins

KINDS = ("mug", "bowl", "bottle", "book", "basket", "spoon")

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("out/twin"), help="not used: nothing is written")
parser.parse_args()

rng = np.random.default_rng(7)
mugs = cousins.load_family("mug")
mug: cousins.Asset = mugs.build(mugs.sample(rng), name="mug", rng=rng)
affordances = cousins.measure_affordances(mug)
litres = 1e3 * affordances.cavity.volume_m3 if affordances.cavity else 0.0
print(f"a mug of {litres:.2f} l, {mug.links[0].mass_kg.value:.2f} kg, {len(affordances.grasps)} grasps")

for kind in KINDS:
    family = cousins.load_family(kind)
    parameters = family.sample_with_size(mug.size_m, rng)
    if parameters is None:
        print(f"{kind}: none of that size")
        continue
    candidate = family.build(parameters, name=kind, rng=rng, texture_px=0)
    missing = cousins.missing_affordances(affordances, cousins.measure_affordances(candidate))
    print(f"{kind} of that size: {', '.join(missing) or 'affords the same'}")
