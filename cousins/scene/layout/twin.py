"""The twin of a capture: what its frames gave, put together with every doubt about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cousins.capture.captures import Capture, Scale
from cousins.capture.io.capture_folder import capture_digest
from cousins.capture.quality.assessment import QualityReport, assess_quality
from cousins.errors import CaptureError
from cousins.fusion.pose_refinement import Refined
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset
from cousins.reconstruct.objects import ReconstructedObject
from cousins.scale.check import ASSUMED_PREFIX
from cousins.scene.io.paths import safe_name
from cousins.scene.layout.assemble import assemble
from cousins.scene.scenes import Scene
from cousins.segment.segments import Segmentation


def assemble_twin(
    capture: Capture,
    refined: Refined,
    segmentation: Segmentation,
    objects: Sequence[ReconstructedObject],
    *,
    name: str | None = None,
    quality: QualityReport | None = None,
    surface: Mesh | None = None,
    fragments: Collection[str] = (),
    draft: bool = False,
) -> Scene:
    """Return the scene that a capture shows; poses and relations are repaired, but nothing is settled in physics yet.

    `capture` is as the phone gave it, `refined` has its corrected poses and scale; `quality` is assessed where it is
    not given, and `surface`, the `plain_surface` of the refined frames, is made. Objects that failed and findings about
    the capture become the scene's fallbacks and warnings. The objects named in `fragments` are kept as fixed surface. A
    `draft` has no textures of structure and no remainder. Raises `CaptureError` where there is
    nothing to build.
    """
    quality = assess_quality(capture) if quality is None else quality
    lost = [f"{item.name} was left out of the twin: {item.failure}" for item in objects if item.placed is None]
    lost += [_fragment_note(item.placed[0]) for item in objects if item.placed is not None and item.name in fragments]
    doubts = [f"{finding.message} {finding.fix}" for finding in quality.findings if finding.severity != "info"]
    if refined.capture.scale.source.startswith(ASSUMED_PREFIX):
        doubts.insert(0, _no_metre(refined.capture.scale))
    placed = [item.placed for item in objects if item.placed is not None and item.name not in fragments]
    if not placed and not segmentation.planes:
        raise _empty_capture_error(capture, lost, doubts)
    return assemble(
        safe_name(name or capture.name),
        placed,
        segmentation,
        refined.capture,
        surface=surface,
        capture_digest=capture_digest(capture),
        warnings=(*doubts, *refined.report.warnings),
        fallbacks=tuple(lost),
        draft=draft,
    )


def _fragment_note(asset: Asset) -> str:
    """Return the fallback for an object of which too little was seen."""
    return (
        f"{asset.name} was kept as fixed surface and not as an object: {asset.observed_fraction:.0%} of its surface "
        "was seen, and that does not stand by itself"
    )


def _no_metre(scale: Scale) -> str:
    """Return the warning about an assumed scale: the interval of true lengths, and how to measure one."""
    low, high = scale.interval
    return (
        f"scale: {scale.source}. Pictures without depth have no metre: true lengths are {low:.2g} to {high:.2g} times "
        "those of the twin (90 % confidence). Measure one with --scale-distance, lay down printed tags (--tag-size), "
        "or scan the room too (--scale-room)."
    )


def _empty_capture_error(capture: Capture, lost: Sequence[str], doubts: Sequence[str]) -> CaptureError:
    """Return the error of a capture that shows nothing to build a twin of."""
    return CaptureError(
        " ".join((f"no floor, table, wall or whole object in {len(capture.frames)} frames.", *lost, *doubts)).rstrip(
            "."
        ),
        expected="things that stand on a floor or a table, with some of it around them",
        hint="Film from 0.5 to 1 m, all the way around, so that what the things stand on is in the picture.",
    )
