"""Where the photos were taken from, found from what they show (structure from motion, by pycolmap in a child)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics
from cousins.photos.child_process import ChildFailedError, need, run_child
from cousins.photos.pictures import Picture

LEAST_PHOTOS = 3
"""Depth that two others confirm needs three photos."""
LEAST_SHARE = 0.5
"""Share of the photos that must fit together."""
LEAST_POINTS = 100
"""Fewer common points tell no shape."""
TIMEOUT_S = 420.0
"""Longest time that the search may take on the wall clock [s]."""
HOW = (
    "Walk around the things in steps of some 10°, 12 photos or more, each sharing most of its view with the one before"
)
"""What to do better, for whoever took the photos."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Placed:
    """A photo with its place."""

    index: int
    """Number of the picture it was made from."""
    jpeg: bytes
    """The picture without the lens's distortion, as JPEG."""
    camera: Intrinsics
    """Its camera."""
    world_from_camera: Array
    """Pose in a world of unknown scale and orientation, float64 [4, 4], OpenCV axes."""
    points: Array
    """Numbers of the points it shows, ascending, int [n]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Motion:
    """What the photos say together."""

    photos: tuple[Placed, ...]
    """Those that fit together, in order."""
    points: Array
    """Points of the scene [n, 3]."""
    error_px: float
    """Mean distance between a point as seen and as computed [px]."""


def find_motion(pictures: Sequence[Picture], *, ordered: bool) -> Motion:
    """Return the photos' places; `ordered` where each follows the one before, as in a film.

    Raises CaptureError, with what to do better, where too few fit together.
    """
    need("pycolmap", what=f"{len(pictures)} photos without poses", package="pycolmap")
    if len(pictures) < LEAST_PHOTOS:
        raise CaptureError(f"{len(pictures)} photos", expected=f"{LEAST_PHOTOS} or more", hint=f"{HOW}.")
    with tempfile.TemporaryDirectory(prefix="cousins-photos-") as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        for index, picture in enumerate(pictures):
            (folder / "photos" / f"{index:06d}.jpg").write_bytes(picture.jpeg)
        groups: dict[str, list[int]] = {}
        for index, picture in enumerate(pictures):
            focal = None if picture.focal_px is None else round(picture.focal_px, 1)
            groups.setdefault(json.dumps([picture.width, picture.height, focal]), []).append(index)
        request = json.dumps({"groups": [[json.loads(key)[2], of] for key, of in groups.items()], "ordered": ordered})
        try:
            run_child("cousins.photos.structure_from_motion_worker", request.encode(), timeout_s=TIMEOUT_S, cwd=folder)
        except ChildFailedError as error:
            raise _lost(len(pictures), 0, f"the search for their places {error}") from error
        return _read(folder, len(pictures))


def _read(folder: Path, asked: int) -> Motion:
    told = json.loads((folder / "motion.json").read_text())
    found = len(told["photos"])
    if found < LEAST_PHOTOS or found < LEAST_SHARE * asked:
        raise _lost(asked, found, "the others share too little with them")
    with np.load(folder / "motion.npz") as arrays:
        points = arrays["points"]
        seen = [arrays[f"seen_{photo['index']}"] for photo in told["photos"]]
    if len(points) < LEAST_POINTS:
        raise _lost(asked, found, f"only {len(points)} common points")
    photos = tuple(
        Placed(
            index=photo["index"],
            jpeg=(folder / "straight" / "images" / f"{photo['index']:06d}.jpg").read_bytes(),
            camera=Intrinsics(**photo["camera"]),
            world_from_camera=np.array(photo["world_from_camera"]),
            points=numbers,
        )
        for photo, numbers in zip(told["photos"], seen, strict=True)
    )
    return Motion(photos=photos, points=points, error_px=told["error_px"])


def _lost(asked: int, found: int, why: str) -> CaptureError:
    return CaptureError(
        f"{asked} photos of which {found} fit together ({why})",
        expected=f"{max(LEAST_PHOTOS, int(LEAST_SHARE * asked + 0.5))} or more that see the same things",
        hint=f"{HOW}; keep printed or patterned things in view, nothing moving, no blur.",
    )
