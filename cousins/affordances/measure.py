"""Measure the affordance signature of an asset on its collision pieces."""

from __future__ import annotations

import numpy as np

from cousins.affordances.grasps import grasps_of
from cousins.affordances.heights import cavity_of, height_map_of, support_of
from cousins.affordances.hulls import hulls_of
from cousins.affordances.joints import joints_of
from cousins.affordances.signatures import Signature
from cousins.reconstruct.assets import Asset


def measure_affordances(asset: Asset) -> Signature:
    """Return the affordances of an asset, upright with its joints at 0; all but the joints are measured on geometry.

    Grasps are those of its root link; moving links are grasped at the handles of their joints.
    """
    hulls = hulls_of(asset)
    height_map = height_map_of(hulls)
    size = hulls.high - hulls.low
    return Signature(
        size_m=(float(size[0]), float(size[1]), float(size[2])),
        grasps=grasps_of(hulls, links=np.array([0])),
        cavity=cavity_of(hulls, height_map),
        support=support_of(height_map),
        joints=joints_of(asset, hulls),
    )
