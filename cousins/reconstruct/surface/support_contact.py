"""Continue the sides of an object down to its support.

Within the truncation distance above the support, pixels that mix the object's foot with the support beside it say that
the side is air, and masks end a pixel too early or too late: sides get notches and fringes that they do not have above.
"""

from __future__ import annotations

import numpy as np

from cousins.reconstruct.surface.distance_field import MeasuredField
from cousins.reconstruct.surface.view_evidence import OTHER_BIN, Evidence, VoxelGrid

MIN_HEIGHT_SHARE = 2.0
"""Smallest height of an object whose sides are continued, as a multiple of the mixed zone's; less has no clean side."""


def continue_sides(
    measured: MeasuredField, evidence: Evidence, grid: VoxelGrid, *, base_m: float, zone_m: float, tolerance_m: float
) -> MeasuredField:
    """Return the field whose sides within the zone [m] above the base go on straight from those above the zone.

    A difference up to the tolerance [m] vanishes; from twice the tolerance on the measurement stays, unless it comes
    from the support though most samples are the object's. What is not near a surface in both places stays too, such as
    the floor of a bowl.
    """
    heights_m = grid.centers_m(2)
    solid_m = heights_m[((measured.trust > 0.0) & (measured.distance_m < 0.0)).any(axis=(0, 1))]
    clean = int(np.searchsorted(heights_m, base_m + zone_m))
    if not len(solid_m) or solid_m.max() < base_m + MIN_HEIGHT_SHARE * zone_m:
        return measured
    zone = np.s_[:, :, :clean]
    above, trust = measured.distance_m[:, :, clean, None], measured.trust[:, :, clean, None]
    distance = measured.distance_m[zone]
    error = distance - above
    excess_m = np.sign(error) * np.clip(2.0 * (np.abs(error) - tolerance_m), 0.0, np.abs(error))
    is_side = (measured.trust[zone] > 0.0) & (trust > 0.0)
    own_weight = evidence.weight[:OTHER_BIN, :, :, :clean].sum(axis=0)
    is_mixed = (error > tolerance_m) & (own_weight > evidence.weight[OTHER_BIN, :, :, :clean])
    is_side &= (is_mixed | (np.abs(distance) <= 2.0 * tolerance_m)) & (np.abs(above) <= 2.0 * tolerance_m)
    straight = measured.distance_m.copy()
    straight[zone] = np.where(is_side, above + np.where(is_mixed, 0.0, excess_m), distance)
    return MeasuredField(distance_m=straight, trust=measured.trust)
