"""Measure the scale of a capture by printed tags and by typed distances."""

from __future__ import annotations

from collections.abc import Sequence

from cousins.capture.captures import Capture
from cousins.extras import requires_extra
from cousins.geometry import Array
from cousins.scale.check import combine_checks, rescale_capture
from cousins.scale.distance import check_distances, needs_tags, parse_distance


def measured_scale(capture: Capture, *, tag_size_m: float | None, distances: Sequence[str] = ()) -> Capture:
    """Return the capture in the metres of its printed tags and of measured distances.

    `tag_size_m` is the side of a tag [m], None where there are none; `distances` are texts such as `tag0:tag5=0.62`.
    Returns the capture as it is where both are absent; raises `InputError` where a distance cannot be measured in it.
    """
    parsed = [parse_distance(text) for text in distances]
    corners: dict[int, Array] = {}
    checks = []
    if tag_size_m is not None or needs_tags(parsed):
        with requires_extra("vision"):
            from cousins.scale.tags import check_tag_scale, tag_corners
        corners = tag_corners(capture)
        if tag_size_m is not None:
            checks.append(check_tag_scale(capture, corners, side_m=tag_size_m))
    if parsed:
        checks.append(check_distances(capture, parsed, tags=corners))
    return rescale_capture(capture, combine_checks(checks)) if checks else capture
