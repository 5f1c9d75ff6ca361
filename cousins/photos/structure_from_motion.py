"""Camera poses of photos by structure from motion, run with pycolmap in a child process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cousins.errors import CaptureError, StageError
from cousins.geometry import Array, Intrinsics
from cousins.photos.child_process import ChildFailedError, require_package, run_child
from cousins.photos.pictures import Picture

MIN_PHOTOS = 3
"""Least number of photos: a depth that two other views confirm needs three."""
MIN_REGISTERED_SHARE = 0.5
"""Least share of the photos that must be registered."""
MIN_POINTS = 100
"""Least number of triangulated points."""
TIMEOUT_S = 420.0
"""Time limit of the reconstruction, wall clock [s]."""
WORKER = "cousins.photos.structure_from_motion_worker"
"""Module that runs as the child process."""
ADVICE = (
    "Walk around the things in steps of some 10°, 12 photos or more, each sharing most of its view with the one before"
)
"""Advice to the user on how to take better photos."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PosedPhoto:
    """A registered photo: undistorted image, camera and pose."""

    index: int
    """Index of the input picture."""
    jpeg: bytes
    """The undistorted picture, as JPEG."""
    camera: Intrinsics
    """Camera of the undistorted picture."""
    world_from_camera: Array
    """Pose in a world of unknown scale and orientation, float64 [4, 4], OpenCV axes."""
    points: Array
    """Indices of the points visible in it, ascending, int [n]."""
    focus_distance_m: float | None = None
    """Focus distance from its metadata [m]; None where absent."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SfmModel:
    """Sparse reconstruction of a set of photos."""

    photos: tuple[PosedPhoto, ...]
    """Registered photos, in order."""
    points: Array
    """Triangulated points of the scene, float64 [n, 3], in the unit of the poses."""
    error_px: float
    """Mean reprojection error [px]."""


def estimate_camera_poses(pictures: Sequence[Picture], *, ordered: bool) -> SfmModel:
    """Return the poses of the photos that can be registered; `ordered` is True for a sequence, as from a film.

    Raises CaptureError with advice to the user where too few photos can be registered, StageError where the child
    process that places them fails.
    """
    require_package("pycolmap", purpose=f"{len(pictures)} photos without poses", package="pycolmap")
    if len(pictures) < MIN_PHOTOS:
        raise CaptureError(f"{len(pictures)} photos", expected=f"{MIN_PHOTOS} or more", hint=f"{ADVICE}.")
    with tempfile.TemporaryDirectory(prefix="cousins-photos-") as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        for index, picture in enumerate(pictures):
            (folder / "photos" / f"{index:06d}.jpg").write_bytes(picture.jpeg)
        groups: dict[str, list[int]] = {}
        for index, picture in enumerate(pictures):
            focal = None if picture.focal_px is None else round(picture.focal_px, 1)
            groups.setdefault(json.dumps([picture.width, picture.height, focal]), []).append(index)
        request = json.dumps(
            {"groups": [[json.loads(key)[2], members] for key, members in groups.items()], "ordered": ordered}
        )
        try:
            run_child(WORKER, request.encode(), timeout_s=TIMEOUT_S, cwd=folder)
        except ChildFailedError as error:
            raise StageError(
                f"{len(pictures)} photos were not placed, because {error}. {error.advice}",
                stage="structure from motion",
            ) from error
        return _read_model(folder, pictures)


def _read_model(folder: Path, pictures: Sequence[Picture]) -> SfmModel:
    photo_count = len(pictures)
    record = json.loads((folder / "motion.json").read_text())
    registered = len(record["photos"])
    if registered < MIN_PHOTOS or registered < MIN_REGISTERED_SHARE * photo_count:
        raise _registration_error(photo_count, registered, "the others share too little with them")
    with np.load(folder / "motion.npz") as arrays:
        points = arrays["points"]
        visible_points = [arrays[f"seen_{photo['index']}"] for photo in record["photos"]]
    if len(points) < MIN_POINTS:
        raise _registration_error(photo_count, registered, f"only {len(points)} common points")
    photos = tuple(
        PosedPhoto(
            index=photo["index"],
            jpeg=(folder / "straight" / "images" / f"{photo['index']:06d}.jpg").read_bytes(),
            camera=Intrinsics(**photo["camera"]),
            world_from_camera=np.array(photo["world_from_camera"]),
            points=numbers,
            focus_distance_m=pictures[photo["index"]].focus_distance_m,
        )
        for photo, numbers in zip(record["photos"], visible_points, strict=True)
    )
    return SfmModel(photos=photos, points=points, error_px=record["error_px"])


def _registration_error(photo_count: int, registered: int, reason: str) -> CaptureError:
    return CaptureError(
        f"{photo_count} photos of which {registered} fit together ({reason})",
        expected=f"{max(MIN_PHOTOS, int(MIN_REGISTERED_SHARE * photo_count + 0.5))} or more that see the same things",
        hint=f"{ADVICE}; keep printed or patterned things in view, nothing moving, no blur.",
    )
