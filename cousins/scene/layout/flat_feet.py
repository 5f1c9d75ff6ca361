"""Flatten the underside of an object that was observed standing.

The underside is never observed. Reconstruction and convex decomposition leave it uneven by a few millimetres, enough to
make a bowl stand 5° askew. But the object did stand still, so its lowest corners lie in one plane.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import trimesh
from scipy.spatial import ConvexHull, QhullError

from cousins.geometry import Array, invert, transform
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset, Link, Piece
from cousins.reconstruct.kinematics import asset_from_links
from cousins.scene.layout.collision_bodies import asset_body, piece_hull
from cousins.scene.scenes import PlacedAsset

FOOT_BANDS_M: Final = (0.004, 0.007, 0.01)
"""Corners this little above the lowest one belong to the foot [m]: the range bias of a phone's depth sensor, and up
to three sigmas of its noise. The first that makes the object stand is taken."""
MAX_BAND_FRACTION: Final = 0.25
"""The same at most, as a share of the object's height: what is lower lies, and is not to be squeezed flat."""
MIN_STABILITY_MARGIN: Final = 0.15
"""How far inside its foot the centre of mass must lie, as a share of the foot's radius."""


def with_flat_foot(placed: PlacedAsset) -> PlacedAsset | None:
    """Return the object with the corners of its foot put in one level plane, None where it would not stand on them.

    Only corners in the lower half of a convex piece go down, so no piece is squeezed; primitives stay.
    """
    poses = asset_from_links(placed.asset)
    body = asset_body(placed.asset).transformed(placed.world_from_asset)
    level = float(body.box.low[2])
    height = float(body.box.high[2] - level)
    for band_m in (band for band in FOOT_BANDS_M if band <= max(MAX_BAND_FRACTION * height, FOOT_BANDS_M[0])):
        links = tuple(
            replace(link, pieces=_lower_pieces(link, placed.world_from_asset @ poses[link.name], level, band_m))
            for link in placed.asset.links
        )
        asset = replace(placed.asset, links=links, completions=(*placed.asset.completions, "flat foot"))
        if _is_stable(asset, placed.world_from_asset, level):
            return replace(placed, asset=asset)
    return None


def _lower_pieces(link: Link, world_from_link: Array, level: float, band_m: float) -> tuple[Piece, ...]:
    return tuple(
        _lower_piece(piece, world_from_link, level, band_m) if piece.kind == "mesh" else piece for piece in link.pieces
    )


def _lower_piece(piece: Piece, world_from_link: Array, level: float, band_m: float) -> Piece:
    points = transform(world_from_link, piece_hull(piece).points)
    middle = (points[:, 2].min() + points[:, 2].max()) / 2.0
    is_foot = (points[:, 2] <= level + band_m) & (points[:, 2] < middle)
    if not np.any(is_foot & (points[:, 2] > level)):
        return piece
    points[is_foot, 2] = level
    hull = trimesh.convex.convex_hull(transform(invert(world_from_link), points))
    mesh = Mesh.from_trimesh(hull)
    return replace(piece, mesh=mesh, size_m=np.ptp(mesh.vertices, axis=0))


def _is_stable(asset: Asset, world_from_asset: Array, level: float) -> bool:
    body = asset_body(asset).transformed(world_from_asset)
    points = np.concatenate([hull.points for hull in body.hulls])
    foot_points = points[points[:, 2] <= level + 1e-6, :2]
    try:
        outline = ConvexHull(foot_points)
    except (QhullError, ValueError):
        return False
    margin_m = float(-(outline.equations[:, :2] @ body.center_of_mass_m[:2] + outline.equations[:, 2]).max())
    return margin_m >= MIN_STABILITY_MARGIN * float(np.sqrt(outline.volume / np.pi))
