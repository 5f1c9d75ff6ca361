"""Segment one depth view: planes removed, convex pieces, pieces joined to objects by a learned affinity."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.segment.affinity.joining import JoiningConfig, absorb_fragments, join_pieces
from cousins.segment.affinity.network import packaged_network
from cousins.segment.affinity.view_pieces import ViewPieces, describe_pieces
from cousins.segment.parts.convex_patches import PatchConfig, make_patches
from cousins.segment.parts.edge_contraction import contract_edges
from cousins.segment.parts.occlusion import find_borders, find_hollows
from cousins.segment.parts.stability_grouping import GroupConfig, merge_groups
from cousins.segment.structure.planes import FixedStructure, heights_above_plane, inside_outline
from cousins.segment.surfaces.depth_view import ForegroundView, foreground_view

MAX_TILT_STD_RAD = 0.06
"""Largest standard deviation of a patch's tilt [rad]: two of them keep a bend within half of the 12 degree limit."""
OVERSEGMENTATION = 1.5
"""Factor on the weight of creases: pieces of two objects cannot be cut later, pieces of one are joined."""
MIN_OBJECT_PIXELS = 60
"""Least number of depth pixels of an object in a single view."""
MAX_DEPTH_BELOW_M = 0.02
"""Depth below a support at which a point may still be above it [m]: noise and sensor bias at 2 m."""
MAX_OVERHANG_M = 0.1
"""How far a thing on a support may reach over its outline [m]."""
MIN_EXPECTED_ERRORS = 0.5
"""Expected number of wrong objects from which it is reported."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelledView:
    """A depth view with an object number at each pixel."""

    view: ForegroundView
    """The view without its planes."""
    labels: Array
    """Object of each pixel, -1 none, int64 [h, w]."""
    doubt: Array
    """Chance that each object is a part of another one or holds two, from 0 to 1; float64 [objects]."""
    hanging: int = 0
    """Number of pieces that are left out because nothing holds them."""

    def sentences(self) -> tuple[str, ...]:
        """Return what was left out and how many objects are doubtful, one sentence each."""
        sentences = []
        if self.hanging:
            sentences.append(
                f"left out {_count(self.hanging)} that nothing visible holds up: kept as fixed surface; "
                "film from several sides to include them"
            )
        expected = float(self.doubt.sum())
        if expected >= MIN_EXPECTED_ERRORS:
            sentences.append(
                f"about {expected:.1f} of {len(self.doubt)} objects may be a part of another or hold two "
                "things, which one view shows badly: film from several sides to tell"
            )
        return tuple(sentences)


def _count(number: int) -> str:
    return "1 piece" if number == 1 else f"{number} pieces"


def label_view(frame: Frame, structure: FixedStructure, *, patch: PatchConfig, group: GroupConfig) -> LabelledView:
    """Segment the objects of one frame."""
    view = foreground_view(frame, structure)
    labels = np.full(frame.depth_m.shape, -1, dtype=np.int64)
    if len(view.rows) == 0:
        return LabelledView(view=view, labels=labels, doubt=np.zeros(0))
    pieces = find_pieces(view, structure, patch=patch)
    joined = join_pieces(pieces, packaged_network().log_odds)
    pieces = pieces.relabelled(joined.object_of_piece)
    is_large = _is_large(pieces, group) & ~_is_ground(pieces)
    is_object = is_large & joined.is_standing
    labels[view.rows, view.columns] = np.where(is_object, np.cumsum(is_object) - 1, -1)[pieces.labels]
    labels, doubt = _join_hollows(view, structure, labels, joined.doubt[is_object])
    return LabelledView(
        view=view, labels=labels, doubt=doubt, hanging=int(np.count_nonzero(is_large & ~joined.is_standing))
    )


def _join_hollows(view: ForegroundView, structure: FixedStructure, labels: Array, doubt: Array) -> tuple[Array, Array]:
    """Return the labels [h, w] with the insides of hollow objects joined to their outsides, and the greatest doubts."""
    if len(doubt) < 2:
        return labels, doubt
    camera = view.frame.depth_camera
    is_object = labels[view.rows, view.columns] >= 0
    rows, columns = view.rows[is_object], view.columns[is_object]
    areas = np.bincount(labels[rows, columns], weights=np.square(view.frame.depth_m[rows, columns] / camera.fx))
    normals = np.zeros_like(view.points)
    normals[view.rows, view.columns] = view.surface.normals
    borders = find_borders(
        labels, view.points, view.frame.depth_m, footprint=1.0 / camera.fx, sigma_m=view.surface.sigma_m
    )
    height = _heights_above_support(structure, view.points)
    pairs = find_hollows(labels, view.points, normals, height, borders, areas=areas)
    groups = np.asarray(merge_groups(list(range(len(areas))), pairs))
    number = np.unique(groups, return_inverse=True)[1].ravel()
    new_doubt = np.zeros(int(number.max()) + 1)
    np.maximum.at(new_doubt, number, doubt)
    return np.where(labels >= 0, number[labels], -1), new_doubt


def find_pieces(view: ForegroundView, structure: FixedStructure, *, patch: PatchConfig) -> ViewPieces:
    """Return convex pieces of a view: more than there are objects, hardly any of two objects."""
    config = replace(
        _noise_limited_patches(patch, view), repulsion=OVERSEGMENTATION * patch.repulsion, color_step=np.inf
    )
    patches = make_patches(view.surface, config=config)
    piece_of_patch = contract_edges(len(patches.centers), patches.pairs, patches.evidence)
    height = _heights_above_support(structure, view.points)
    pieces = describe_pieces(view, patches, piece_of_patch, height, up=structure.up)
    return pieces.relabelled(absorb_fragments(pieces, JoiningConfig()))


def _is_large(pieces: ViewPieces, group: GroupConfig) -> Array:
    """Return which pieces are visible enough to be objects, bool [k]."""
    areas = np.bincount(pieces.labels, weights=pieces.pixel_areas_m2)
    return np.asarray((areas >= group.min_area_m2) & (np.bincount(pieces.labels) >= MIN_OBJECT_PIXELS))


def _is_ground(pieces: ViewPieces) -> Array:
    """Return which pieces are a part of a plane between other things, bool [k]."""
    on_plane = np.bincount(pieces.labels, weights=pieces.on_plane)
    return np.asarray(2 * on_plane > np.bincount(pieces.labels))


def _noise_limited_patches(patch: PatchConfig, view: ForegroundView) -> PatchConfig:
    """Return the patch size at which the tilt of a plane fit has a standard deviation of at most `MAX_TILT_STD_RAD`.

    A plane through n = (size / footprint)² points of noise σ over a square tilts by σ √12 / (size √n).
    """
    noise, footprint = view.surface.sigma_m, 3.0 * view.surface.spacing_m
    return replace(
        patch, size_m=max(patch.size_m, float(np.sqrt(np.sqrt(12.0) * noise * footprint / MAX_TILT_STD_RAD)))
    )


def _heights_above_support(structure: FixedStructure, points: Array) -> Array:
    """Return the height [...] of points [..., 3] over the highest support below them [m].

    Without supports it is the height over the lowest point.
    """
    supports = [fitted for fitted in structure.planes if fitted.plane.kind != "wall"]
    if not supports:
        along = points @ structure.up
        return np.asarray(along - along.min())
    height = np.asarray(heights_above_plane(supports[0], points))
    for fitted in supports[1:]:
        over = heights_above_plane(fitted, points)
        is_below = (over > -MAX_DEPTH_BELOW_M) & inside_outline(fitted.plane, points, margin_m=MAX_OVERHANG_M)
        height = np.where(is_below & ((height < -MAX_DEPTH_BELOW_M) | (over < height)), over, height)
    return height
