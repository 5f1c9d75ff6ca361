"""Worker process that runs pycolmap, the only module that imports it; started by `structure_from_motion.py`.

A separate process also because pycolmap 4.2 and Pillow 13 bundle incompatible zlibs: a PNG saved after importing both
ends the process. Standard input is JSON: `groups` of photos of one camera ([focal length [px] or null, indices]) and
`ordered`. The working folder holds photos/000000.jpg…; motion.json, motion.npz and straight/ are written into it.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

MAX_MEMORY_BYTES = 8 << 30
"""Address space limit [bytes]."""
MAX_CPU_S = 800
"""Processor time limit [s]."""
FEATURE_SIDE_PX = 1024
"""Longer image side for feature extraction [px]."""
MAX_FEATURES = 3000
"""Maximum number of features per photo."""
SEQUENTIAL_OVERLAP = 12
"""Number of preceding film pictures that each is matched with, and as many at doubling steps."""
SEED = 0
THREADS = 2


def main() -> None:
    """Read the request from standard input and write the reconstruction."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request = json.loads(sys.stdin.buffer.read())
    pycolmap.logging.minloglevel = 2
    pycolmap.set_random_seed(SEED)
    database, photos = Path("features.db"), Path("photos")
    for focal_px, numbers in request["groups"]:
        _extract_features(database, photos, [f"{number:06d}.jpg" for number in numbers], focal_px)
    _match_features(database, ordered=request["ordered"])
    models = pycolmap.incremental_mapping(database, photos, Path(), options=_mapping_options())
    best = max(models.values(), key=lambda model: model.num_reg_images(), default=None)
    if best is None:
        Path("motion.json").write_text(json.dumps({"photos": []}))
        return
    best.write(Path())
    pycolmap.undistort_images(Path("straight"), Path(), photos, jpeg_quality=95, num_threads=1)
    _write_model(pycolmap.Reconstruction(Path("straight/sparse")))


def _extract_features(database: Path, photos: Path, names: list[str], focal_px: float | None) -> None:
    """Extract features; photos of one size and focal length share a camera."""
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size, options.num_threads = FEATURE_SIDE_PX, THREADS
    options.sift.max_num_features = MAX_FEATURES
    bitmap = pycolmap.Bitmap.read(photos / names[0], as_rgb=False)
    options.sift.first_octave = 0 if max(bitmap.width, bitmap.height) >= FEATURE_SIDE_PX else -1
    reader = pycolmap.ImageReaderOptions()
    if focal_px is not None:
        reader.camera_params = f"{focal_px},{bitmap.width / 2},{bitmap.height / 2},0"
    pycolmap.extract_features(
        database,
        photos,
        image_names=names,
        camera_mode=pycolmap.CameraMode.SINGLE,
        reader_options=reader,
        extraction_options=options,
        device=pycolmap.Device.cpu,
    )


def _match_features(database: Path, *, ordered: bool) -> None:
    matching, checking = pycolmap.FeatureMatchingOptions(), pycolmap.TwoViewGeometryOptions()
    matching.num_threads = THREADS
    checking.ransac.random_seed = SEED
    options = {"matching_options": matching, "verification_options": checking, "device": pycolmap.Device.cpu}
    if not ordered:
        pycolmap.match_exhaustive(database, **options)
        return
    pairing = pycolmap.SequentialPairingOptions()
    pairing.overlap, pairing.quadratic_overlap, pairing.loop_detection = SEQUENTIAL_OVERLAP, True, False
    pycolmap.match_sequential(database, pairing_options=pairing, **options)


def _mapping_options() -> pycolmap.IncrementalPipelineOptions:
    options = pycolmap.IncrementalPipelineOptions()
    options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = SEED
    options.num_threads = options.mapper.num_threads = 1
    options.multiple_models, options.min_model_size, options.max_runtime_seconds = True, 3, 300
    return options


def _write_model(model: pycolmap.Reconstruction) -> None:
    """Write poses, cameras and points of the undistorted model."""
    ordered_ids = sorted(model.points3D)
    index_of_id = {number: index for index, number in enumerate(ordered_ids)}
    arrays: dict[str, Any] = {"points": np.array([model.points3D[number].xyz for number in ordered_ids]).reshape(-1, 3)}
    photos = []
    for image in sorted(model.images.values(), key=lambda image: image.name):
        if not image.has_pose:
            continue
        index = int(image.name[:6])
        pose = np.eye(4)
        pose[:3] = image.cam_from_world().inverse().matrix()
        camera = model.cameras[image.camera_id]
        fx, fy, cx, cy = (float(value) for value in camera.params)
        photos.append(
            {
                "index": index,
                # COLMAP counts from the corner of the first pixel, we from its centre.
                "camera": {
                    "width": camera.width, "height": camera.height, "fx": fx, "fy": fy, "cx": cx - 0.5, "cy": cy - 0.5
                },
                "world_from_camera": pose.tolist(),
            }
        )  # fmt: skip
        point_ids = {point.point3D_id for point in image.points2D if point.has_point3D()}
        arrays[f"seen_{index}"] = np.array(sorted(index_of_id[number] for number in point_ids), dtype=np.int64)
    error_px = float(model.compute_mean_reprojection_error())
    np.savez(Path("motion.npz"), **arrays)
    Path("motion.json").write_text(json.dumps({"photos": photos, "error_px": error_px}))


if __name__ == "__main__":
    main()
