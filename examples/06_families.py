"""Make things by program, measure what they afford, and put one in the place of another.

A family makes things of one kind in all sizes, with convex pieces, masses and joints. What a thing affords is measured
on these pieces: where a gripper takes it, what it holds, what stands on it. A mug is drawn here, then a bowl and a mug
of its size are asked for, and each is told what it would lose beside the first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cousins.affordances import missing_affordances, measure_affordances
from cousins.families.family import load_family, family_names

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("out/twin"), help="not used: nothing is written")
parser.parse_args()

rng = np.random.default_rng(7)
mugs = load_family("mug")
mug = mugs.build(mugs.sample(rng), name="mug", rng=rng)
affords = measure_affordances(mug)
assert affords.cavity is not None
litres, mass_kg = 1e3 * affords.cavity.volume_m3, mug.links[0].mass_kg.value
print(f"a mug of {litres:.2f} l, {mass_kg:.2f} kg, {len(affords.grasps)} grasps")

for name in family_names():
    other = load_family(name)
    values = other.sample_with_size(mug.size_m, rng)
    if values is None:
        continue
    missing = missing_affordances(affords, measure_affordances(other.build(values, name="other", rng=rng, texture_px=0)))
    print(f"{name} of that size: {', '.join(missing) or 'affords the same'}")
