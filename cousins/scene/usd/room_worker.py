"""Print the solids of a USDZ, such as RoomPlan's, as JSON: a child process, for the file may be hostile.

Run as `python -m cousins.scene.usd.room_worker FILE`. Prints one object: `up`, `y` or `z`, `unit_m`, the stage's unit
[m], and `solids`, each with its prim's name, the group above it, its pose (rows of a 4×4, metres, rotation only) and
its points and triangles in that pose's frame.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from pxr import Tf, Usd, UsdGeom

from cousins.geometry import Array
from cousins.sandbox import limit_resources
from cousins.scene.usd.path_rules import check_paths, error_text

CUBE_CORNERS: Final = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
"""Corners of USD's unit cube."""
CUBE_TRIANGLES: Final = (
    (0, 1, 3),
    (0, 3, 2),
    (4, 6, 7),
    (4, 7, 5),
    (0, 4, 5),
    (0, 5, 1),
    (2, 3, 7),
    (2, 7, 6),
    (0, 2, 6),
    (0, 6, 4),
    (1, 5, 7),
    (1, 7, 3),
)
"""Its triangles."""
MAX_POINTS: Final = 200_000
"""Most points of all solids: RoomPlan writes some thousand."""


def read_solids(path: Path, root: Path | None = None) -> dict[str, Any]:
    """Return the JSON object that is printed, or `{"error": reason}`; nothing outside of `root` is read."""
    errors = [finding for finding in check_paths(path, root) if finding.severity == "error"]
    if errors:
        return {"error": errors[0].message}
    try:
        stage = Usd.Stage.Open(str(path))
    except (Tf.ErrorException, UnicodeDecodeError) as error:
        return {"error": error_text(error)}
    unit = UsdGeom.GetStageMetersPerUnit(stage)
    solids = []
    points_left = MAX_POINTS
    for prim in stage.Traverse():
        if prim.IsA(UsdGeom.Cube) or prim.IsA(UsdGeom.Mesh):
            solid = _solid(prim, unit)
            points_left -= len(solid["points"])
            if points_left < 0:
                return {"error": f"more than {MAX_POINTS} points"}
            solids.append(solid)
    return {"up": str(UsdGeom.GetStageUpAxis(stage)).lower(), "unit_m": unit, "solids": solids}


def _solid(prim: Usd.Prim, unit: float) -> dict[str, Any]:
    matrix = np.array(UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(Usd.TimeCode.Default())).T
    scale = np.linalg.norm(matrix[:3, :3], axis=0)
    pose = np.eye(4)
    pose[:3, :3] = matrix[:3, :3] / np.maximum(scale, 1e-12)
    pose[:3, 3] = matrix[:3, 3] * unit
    points, triangles = _geometry(prim)
    return {
        "name": prim.GetName(),
        "group": prim.GetParent().GetName(),
        "pose": pose.tolist(),
        "points": (points * scale * unit).tolist(),
        "triangles": triangles,
    }


def _geometry(prim: Usd.Prim) -> tuple[Array, list[list[int]]]:
    if prim.IsA(UsdGeom.Cube):
        return CUBE_CORNERS * UsdGeom.Cube(prim).GetSizeAttr().Get(), [list(triangle) for triangle in CUBE_TRIANGLES]
    mesh = UsdGeom.Mesh(prim)
    points = np.array(mesh.GetPointsAttr().Get() or np.zeros((0, 3)), dtype=np.float64).reshape(-1, 3)
    triangles, start = [], 0
    corners = list(mesh.GetFaceVertexIndicesAttr().Get() or [])
    for count in mesh.GetFaceVertexCountsAttr().Get() or []:
        face = [int(corner) for corner in corners[start : start + count]]
        triangles += [[face[0], face[k], face[k + 1]] for k in range(1, len(face) - 1)]
        start += count
    return points, triangles


def main() -> int:
    """Print the solids of the file named on the command line as one line of JSON."""
    limit_resources(Path(sys.argv[1]))
    sys.stdout.write(json.dumps(read_solids(Path(sys.argv[1])), allow_nan=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
