"""Gaussian splats as radiance-field trainers export them: reading, and exact similarity transforms.

File layout as in Kerbl et al., 3D Gaussian Splatting, 2023: a binary PLY with x y z, f_dc_*, f_rest_* (by colour
channel), opacity (logit), scale_* (logarithm) and rot_* (w x y z), one float32 each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.errors import StageError
from cousins.geometry import Array, quat_wxyz_from_rotation

MAX_SPLATS: Final = 20_000_000
"""Largest number of splats in a file."""
SH_C0: Final = 0.28209479177387814
SH_C1: Final = 0.4886025119029199
SH_C2: Final = (1.0925484305920792, -1.0925484305920792, 0.31539156525252005, -1.0925484305920792, 0.5462742152960396)
SH_C3: Final = (
    -0.5900435899266435,
    2.890611442640554,
    -0.4570457994644658,
    0.3731763325901154,
    -0.4570457994644658,
    1.445305721320277,
    -0.5900435899266435,
)
"""Factors of the real spherical harmonics, signs as the paper's code has them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Splats:
    """Gaussian ellipsoids with view-dependent colour."""

    positions: Array
    """Centres [m], float64 [n, 3]."""
    quats_wxyz: Array
    """Orientation of each ellipsoid, float64 [n, 4], of unit length."""
    scales: Array
    """Standard deviations along its axes [m], float64 [n, 3]."""
    opacities: Array
    """0 to 1, float64 [n]."""
    harmonics: Array
    """Spherical harmonics of the colour, float64 [n, (degree + 1)², 3]; the first is constant."""

    @property
    def degree(self) -> int:
        """Degree of the spherical harmonics, 0 to 3."""
        return round(self.harmonics.shape[1] ** 0.5) - 1


def read_splats(data: bytes) -> Splats:
    """Return the splats of a PLY file; raises StageError for another format and for numbers that are not finite."""
    columns = _columns(data)
    try:
        rest = sum(name.startswith("f_rest_") for name in columns) // 3
        dc = np.stack([columns[f"f_dc_{channel}"] for channel in range(3)], axis=1)
        parts = [[columns[f"f_rest_{channel * rest + i}"] for channel in range(3)] for i in range(rest)]
        positions, scales, quats = (
            np.stack([columns[name] for name in names], axis=1)
            for names in (("x", "y", "z"), ("scale_0", "scale_1", "scale_2"), ("rot_0", "rot_1", "rot_2", "rot_3"))
        )
        logits = columns["opacity"]
    except KeyError as error:
        raise _splat_file_error(f"no column {error}") from error
    if rest not in (0, 3, 8, 15):
        raise _splat_file_error(f"{rest} higher harmonics a colour")
    harmonics = np.concatenate([dc[:, None, :], np.array(parts).transpose(2, 0, 1)], axis=1) if rest else dc[:, None]
    lengths = np.linalg.norm(quats, axis=1, keepdims=True)
    good = np.isfinite(np.column_stack([positions, scales, quats, logits])).all(axis=1) & (lengths[:, 0] > 0.0)
    if not good.any() or not np.isfinite(harmonics).all():
        raise _splat_file_error("numbers that are none")
    return Splats(
        positions=positions[good],
        quats_wxyz=(quats / np.where(lengths > 0.0, lengths, 1.0))[good],
        scales=np.exp(np.clip(scales[good], -50.0, 20.0)),
        opacities=1.0 / (1.0 + np.exp(-np.clip(logits[good], -50.0, 50.0))),
        harmonics=harmonics[good],
    )


def transform_splats(splats: Splats, rotation: Array, translation_m: Array, scale: float) -> Splats:
    """Return the splats under x → scale · rotation · x + translation (rotation [3, 3]), with rotated harmonics."""
    turn = quat_wxyz_from_rotation(rotation)
    harmonics = splats.harmonics.copy()
    for band in range(1, splats.degree + 1):
        first, last = band**2, (band + 1) ** 2
        harmonics[:, first:last] = np.einsum("ij,njc->nic", _band_rotation(rotation, band), harmonics[:, first:last])
    return Splats(
        positions=scale * splats.positions @ rotation.T + translation_m,
        quats_wxyz=_quat_product(turn, splats.quats_wxyz),
        scales=scale * splats.scales,
        opacities=splats.opacities,
        harmonics=harmonics,
    )


def harmonics_basis(directions: Array) -> Array:
    """Return the 16 real spherical harmonics of unit directions [n, 3], float64 [n, 16]."""
    x, y, z = directions.T
    xx, yy, zz = x * x, y * y, z * z
    return np.stack(
        [
            np.full_like(x, SH_C0),
            *(-SH_C1 * y, SH_C1 * z, -SH_C1 * x),
            *(
                SH_C2[0] * x * y,
                SH_C2[1] * y * z,
                SH_C2[2] * (2 * zz - xx - yy),
                SH_C2[3] * x * z,
                SH_C2[4] * (xx - yy),
            ),
            *(SH_C3[0] * y * (3 * xx - yy), SH_C3[1] * x * y * z, SH_C3[2] * y * (4 * zz - xx - yy)),
            *(SH_C3[3] * z * (2 * zz - 3 * xx - 3 * yy), SH_C3[4] * x * (4 * zz - xx - yy), SH_C3[5] * z * (xx - yy)),
            SH_C3[6] * x * (xx - 3 * yy),
        ],
        axis=1,
    )


def _band_rotation(rotation: Array, band: int) -> Array:
    """Return the matrix by which a rotation acts on the coefficients of one band: colour along R d was along d."""
    sample = np.random.default_rng(0).normal(size=(64, 3))
    sample /= np.linalg.norm(sample, axis=1, keepdims=True)
    before, after = (harmonics_basis(part)[:, band**2 : (band + 1) ** 2] for part in (sample, sample @ rotation))
    return np.asarray(np.linalg.lstsq(before, after, rcond=None)[0])


def _quat_product(left: Array, right: Array) -> Array:
    """Return the quaternion products left · right, float64 [n, 4]."""
    w, x, y, z = left
    matrix = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    return np.asarray(right @ matrix.T)


def _columns(data: bytes) -> Mapping[str, Array]:
    end = data.find(b"end_header\n")
    if not data.startswith(b"ply\n") or end < 0 or end > 100_000:
        raise _splat_file_error("no PLY header")
    lines = [line.split() for line in data[:end].decode("ascii", "replace").splitlines()]
    counts = [line[2] for line in lines if line[:2] == ["element", "vertex"] and len(line) == 3]
    kinds = [line for line in lines if line[:1] == ["property"]]
    if ["format", "binary_little_endian", "1.0"] not in lines or len(counts) != 1 or not counts[0].isdigit():
        raise _splat_file_error("another format than binary_little_endian with one list of vertices")
    if any(len(line) != 3 or line[1] not in ("float", "float32") for line in kinds):
        raise _splat_file_error("columns that are no float32")
    count, body = int(counts[0]), data[end + len(b"end_header\n") :]
    if not 0 < count <= MAX_SPLATS or len(body) < 4 * count * len(kinds):
        raise _splat_file_error(f"{count} splats in {len(body)} bytes")
    table = np.frombuffer(body, dtype="<f4", count=count * len(kinds)).reshape(count, len(kinds)).astype(np.float64)
    return {line[2]: table[:, column] for column, line in enumerate(kinds)}


def _splat_file_error(problem: str) -> StageError:
    return StageError(f"the splat file has {problem}", stage="splats")
