"""One depth view to object labels: planes out, convex pieces, hollows joined, then what can stand alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.segment.parts.convex_patches import PatchConfig, make_patches
from cousins.segment.parts.edge_contraction import join
from cousins.segment.parts.occlusion import Borders, describe, find_borders, hollows
from cousins.segment.parts.stability_grouping import GroupConfig, settle, union
from cousins.segment.structure.planes import Structure, heights
from cousins.segment.surfaces.depth_view import View, look

TILT_RAD = 0.06
"""Error of patch normals that keeps the bend of two of them within half of the smooth limit of 12 degrees."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Labelled:
    """A view with an object number at each pixel."""

    view: View
    """The view."""
    labels: Array
    """Object of each pixel, -1 none, int64 [h, w]."""


def label_view(frame: Frame, structure: Structure, *, patch: PatchConfig, group: GroupConfig) -> Labelled:
    """Tell the objects of one frame apart."""
    view = look(frame, structure)
    labels = np.full(frame.depth_m.shape, -1, dtype=np.int64)
    if len(view.rows) == 0:
        return Labelled(view=view, labels=labels)
    patches = make_patches(view.surface, config=_sized(patch, view))
    piece = join(len(patches.centers), patches.pairs, patches.evidence)
    labels[view.rows, view.columns] = piece[patches.of_point]
    normals = np.zeros_like(view.points)
    normals[view.rows, view.columns] = patches.normals[patches.of_point]
    height = _height(structure, view.points)
    labels = _renumber(labels, _join_hollows(view, labels, normals, height))
    areas, borders = _areas(frame, labels), _borders(view, labels)
    pieces = describe(normals, height, borders, areas=areas, up=structure.up)
    number, keep = settle(pieces, config=group)
    kept = np.where(keep, np.cumsum(keep) - 1, -1)[number]
    return Labelled(view=view, labels=np.where(labels >= 0, kept[labels], -1))


def _sized(patch: PatchConfig, view: View) -> PatchConfig:
    """Return the patch size at which the tilt of a plane fit has a standard deviation of at most `TILT_RAD`.

    A plane through n = (size / footprint)² points of noise σ over a square tilts by σ √12 / (size √n).
    """
    noise, footprint = view.surface.sigma_m, 3.0 * view.surface.spacing_m
    return replace(patch, size_m=max(patch.size_m, float(np.sqrt(np.sqrt(12.0) * noise * footprint / TILT_RAD))))


def _join_hollows(view: View, labels: Array, normals: Array, height: Array) -> Array:
    areas = _areas(view.frame, labels)
    pairs = hollows(labels, view.points, normals, height, _borders(view, labels), areas=areas)
    return np.asarray(union(list(range(len(areas))), pairs))


def _renumber(labels: Array, groups: Array) -> Array:
    number = np.unique(groups, return_inverse=True)[1].ravel()
    return np.where(labels >= 0, number[labels], -1)


def _areas(frame: Frame, labels: Array) -> Array:
    pixel = np.square(frame.depth_m.astype(np.float64) / frame.depth_camera.fx)
    inside = labels >= 0
    return np.bincount(labels[inside], weights=pixel[inside], minlength=int(labels.max()) + 1)


def _borders(view: View, labels: Array) -> Borders:
    footprint = 1.0 / view.frame.depth_camera.fx
    return find_borders(labels, view.points, view.frame.depth_m, footprint=footprint, sigma_m=view.surface.sigma_m)


def _height(structure: Structure, points: Array) -> Array:
    """Return the height above the highest support below each point, or over the lowest point without supports [m]."""
    supports = [fitted for fitted in structure.planes if fitted.plane.kind != "wall"]
    if not supports:
        along = points @ structure.up
        return np.asarray(along - along.min())
    return np.asarray(heights(supports[0], points))
