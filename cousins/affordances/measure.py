"""The signature of an asset, measured on the collision pieces that physics sees."""

from __future__ import annotations

import numpy as np

from cousins.affordances.grasps import grasps_of
from cousins.affordances.heights import cavity_of, heights_of, support_of
from cousins.affordances.hulls import hulls_of
from cousins.affordances.joints import joints_of
from cousins.affordances.signatures import Signature
from cousins.reconstruct.assets import Asset


def signature_of(asset: Asset) -> Signature:
    """Return what an asset affords, standing upright with its joints at 0; nothing but its joints is taken as told.

    Grasps are those of its root link: what moves is taken by the handles of the joints.
    """
    hulls = hulls_of(asset)
    heights = heights_of(hulls)
    size = hulls.high - hulls.low
    return Signature(
        size_m=(float(size[0]), float(size[1]), float(size[2])),
        grasps=grasps_of(hulls, links=np.array([0])),
        cavity=cavity_of(hulls, heights),
        support=support_of(heights),
        joints=joints_of(asset, hulls),
    )
