"""Segment one depth view: planes removed, convex pieces, hollow objects joined, pieces grouped to objects."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.segment.parts.convex_patches import PatchConfig, make_patches
from cousins.segment.parts.edge_contraction import contract_edges
from cousins.segment.parts.occlusion import Borders, describe_view_contacts, find_borders, find_hollows
from cousins.segment.parts.stability_grouping import GroupConfig, group_by_stability, merge_groups
from cousins.segment.structure.planes import FixedStructure, heights_above_plane
from cousins.segment.surfaces.depth_view import ForegroundView, foreground_view

MAX_TILT_STD_RAD = 0.06
"""Largest standard deviation of a patch's tilt [rad]: two of them keep a bend within half of the 12 degree limit."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelledView:
    """A depth view with an object number at each pixel."""

    view: ForegroundView
    """The view without its planes."""
    labels: Array
    """Object of each pixel, -1 none, int64 [h, w]."""


def label_view(frame: Frame, structure: FixedStructure, *, patch: PatchConfig, group: GroupConfig) -> LabelledView:
    """Segment the objects of one frame."""
    view = foreground_view(frame, structure)
    labels = np.full(frame.depth_m.shape, -1, dtype=np.int64)
    if len(view.rows) == 0:
        return LabelledView(view=view, labels=labels)
    patches = make_patches(view.surface, config=_noise_limited_patches(patch, view))
    piece = contract_edges(len(patches.centers), patches.pairs, patches.evidence)
    labels[view.rows, view.columns] = piece[patches.patch_of_point]
    normals = np.zeros_like(view.points)
    normals[view.rows, view.columns] = patches.normals[patches.patch_of_point]
    height = _heights_above_support(structure, view.points)
    labels = _merge_labels(labels, _join_hollows(view, labels, normals, height))
    areas, borders = _object_areas(frame, labels), _view_borders(view, labels)
    pieces = describe_view_contacts(normals, height, borders, areas=areas, up=structure.up)
    object_of_piece, keep_mask = group_by_stability(pieces, config=group)
    new_labels = np.where(keep_mask, np.cumsum(keep_mask) - 1, -1)[object_of_piece]
    return LabelledView(view=view, labels=np.where(labels >= 0, new_labels[labels], -1))


def _noise_limited_patches(patch: PatchConfig, view: ForegroundView) -> PatchConfig:
    """Return the patch size at which the tilt of a plane fit has a standard deviation of at most `MAX_TILT_STD_RAD`.

    A plane through n = (size / footprint)² points of noise σ over a square tilts by σ √12 / (size √n).
    """
    noise, footprint = view.surface.sigma_m, 3.0 * view.surface.spacing_m
    return replace(
        patch, size_m=max(patch.size_m, float(np.sqrt(np.sqrt(12.0) * noise * footprint / MAX_TILT_STD_RAD)))
    )


def _join_hollows(view: ForegroundView, labels: Array, normals: Array, height: Array) -> Array:
    areas = _object_areas(view.frame, labels)
    pairs = find_hollows(labels, view.points, normals, height, _view_borders(view, labels), areas=areas)
    return np.asarray(merge_groups(list(range(len(areas))), pairs))


def _merge_labels(labels: Array, groups: Array) -> Array:
    number = np.unique(groups, return_inverse=True)[1].ravel()
    return np.where(labels >= 0, number[labels], -1)


def _object_areas(frame: Frame, labels: Array) -> Array:
    pixel = np.square(frame.depth_m.astype(np.float64) / frame.depth_camera.fx)
    inside = labels >= 0
    return np.bincount(labels[inside], weights=pixel[inside], minlength=int(labels.max()) + 1)


def _view_borders(view: ForegroundView, labels: Array) -> Borders:
    footprint = 1.0 / view.frame.depth_camera.fx
    return find_borders(labels, view.points, view.frame.depth_m, footprint=footprint, sigma_m=view.surface.sigma_m)


def _heights_above_support(structure: FixedStructure, points: Array) -> Array:
    """Return the height above the highest support below each point, or over the lowest point without supports [m]."""
    supports = [fitted for fitted in structure.planes if fitted.plane.kind != "wall"]
    if not supports:
        along = points @ structure.up
        return np.asarray(along - along.min())
    return np.asarray(heights_above_plane(supports[0], points))
