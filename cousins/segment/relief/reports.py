"""What low things were not made objects, in sentences with name and place."""

from __future__ import annotations

from collections.abc import Sequence

from cousins.segment.relief.raised_patches import Kind, RaisedPatch

PLACED: dict[Kind, tuple[str, str]] = {
    "cable": (
        "something thin and long like a cable",
        "it bends, so it is no rigid object; put it away before the scan if a robot works there",
    ),
    "flat": ("something flat", "it is too low to be measured as an object"),
    "cut off": ("something low", "it lies at the edge of what was filmed: film around it to include it"),
}
"""Kinds that are reported one by one: what it is, and why it is no object."""
COUNTED: dict[Kind, str] = {
    "swell": "low swells of the support's own colour (folds, or things of its colour)",
    "small": "low bits under 4 cm long",
    "fringe": "low fringes beside taller things (their foot, or something thin that touches them)",
}
"""Kinds that are reported by number, with the place of the largest."""


def report_raised_patches(patches: Sequence[RaisedPatch]) -> tuple[str, ...]:
    """Return a sentence for each low thing that stayed part of its support, or for each kind of many."""
    sentences = []
    for kind, (noun, why) in PLACED.items():
        sentences += [
            f"{noun} ({_size(patch, kind)}) lies at {_place(patch)}; it was kept as part of it: {why}"
            for patch in patches
            if patch.kind == kind
        ]
    for kind, noun in COUNTED.items():
        members = [patch for patch in patches if patch.kind == kind]
        if members:
            largest = max(members, key=lambda patch: patch.outline.area_m2)
            sentences.append(
                f"{noun}: {len(members)} kept as part of what they lie on; the largest "
                f"({_size(largest, kind)}) lies at {_place(largest)}"
            )
    return tuple(sentences)


def _size(patch: RaisedPatch, kind: Kind) -> str:
    outline = patch.outline
    long_m, wide_m = (outline.path_m, outline.breadth_m) if kind == "cable" else (outline.length_m, outline.width_m)
    return f"{100.0 * long_m:.0f} x {100.0 * wide_m:.1f} cm, {1000.0 * outline.height_m:.0f} mm high"


def _place(patch: RaisedPatch) -> str:
    middle = patch.points.mean(axis=0)
    return f"x {middle[0]:.2f} m, y {middle[1]:.2f} m on {patch.support}"
