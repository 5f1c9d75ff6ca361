"""Splats and meshes by nerfstudio (Tancik et al., 2023), in a separate environment and on an NVIDIA GPU.

The capture is written as a nerfstudio data set in metres. Its data parser centres and scales the scene to the unit
cube for training and stores that transform in dataparser_transforms.json: x_nerf = scale · (transform · x). Exports are
transformed back by its inverse, so the result is in the capture's metres and axes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import trimesh

from cousins.capture.captures import Capture, Frame
from cousins.child_processes import bound_command
from cousins.errors import InputError, StageError
from cousins.geometry import Array, transform, unproject
from cousins.meshes import Mesh
from cousins.reconstruct.reconstructor import ProgressCallback
from cousins.reconstruct.splats import Splats, read_splats, transform_splats

GL_FROM_CV: Final = np.diag([1.0, -1.0, -1.0, 1.0])
"""nerfstudio's cameras look along −z with y up."""
MIN_PICTURES: Final = 10
"""Fewest colour pictures for training."""
MAX_SEED_POINTS: Final = 100_000
"""Largest number of depth points that initialise the splats."""
PROGRESS_LINE: Final = re.compile(r"^\s*(\d{1,9}) \((\d{1,3}(?:\.\d+)?)%\)")
"""Progress line of ns-train: `1200 (4.00%)   12.3 ms ...`."""
REQUIREMENTS: Final = Path(__file__).with_suffix(".txt")
"""Requirements of its environment."""
SHOWN_LINES: Final = 12
"""Number of last output lines in the error of a failed program."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How nerfstudio is run."""

    environment: Path
    """Virtual environment that `cousins setup nerfstudio` built."""
    iterations: int = 30_000
    """Steps of training."""
    seed: int = 0
    """Root of nerfstudio's randomness."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ParserTransform:
    """Transform by nerfstudio's data parser: x_nerf = scale · (rotation · x + translation)."""

    rotation: Array
    """Rotation matrix, float64 [3, 3]."""
    translation_m: Array
    """Translation before scaling [m], float64 [3]."""
    scale: float
    """Nerfstudio units per metre."""

    def restore_splats(self, splats: Splats) -> Splats:
        """Return splats in the capture's frame and metres."""
        return transform_splats(splats, self.rotation.T, -self.rotation.T @ self.translation_m, 1.0 / self.scale)

    def restore_points(self, points: Array) -> Array:
        """Return points [n, 3] in the capture's frame and metres."""
        return np.asarray((points / self.scale - self.translation_m) @ self.rotation)


def build(config: Config) -> Nerfstudio:
    """Return the back-end; raises InputError where its environment is missing or has no GPU."""
    return Nerfstudio(config)


class Nerfstudio:
    """Trains on a capture and returns splats or a mesh; implements the `Reconstructor` protocol."""

    def __init__(self, config: Config) -> None:
        """Check the environment and the GPU."""
        self.config = config
        if not self._program("ns-train").is_file():
            raise InputError(
                f"no nerfstudio in {config.environment}",
                expected="its own environment",
                hint="Type `cousins setup nerfstudio`; it needs 8 GB.",
            )
        command = [str(self._program("python")), "-c", "import torch; print(torch.cuda.is_available())"]
        answer = subprocess.run(
            bound_command(command), capture_output=True, text=True, check=False, env=self._environment()
        )
        if answer.stdout.split()[-1:] != ["True"]:
            raise InputError(
                "no NVIDIA GPU that torch can use",
                expected="CUDA: gsplat and nerfacto have no CPU path worth waiting for",
                hint="Run this on a machine with an NVIDIA GPU; the twin itself needs none.",
            )

    def splats(self, capture: Capture, work: Path, *, progress: ProgressCallback) -> Splats:
        """Return the scene as splats [m], by splatfacto; `work` is an empty folder."""
        run = self._train("splatfacto", capture, work, progress=progress)
        self._run("ns-export", ["gaussian-splat", *_export_options(run, work / "export")], progress=progress)
        return read_parser_transform(run).restore_splats(
            read_splats(_require_file(work / "export/splat.ply").read_bytes())
        )

    def mesh(self, capture: Capture, work: Path, *, progress: ProgressCallback) -> Mesh:
        """Return the scene as a mesh [m], by nerfacto and Poisson reconstruction; `work` is an empty folder."""
        run = self._train("nerfacto", capture, work, progress=progress)
        arguments = [
            "poisson",
            *_export_options(run, work / "export"),
            "--texture-method",
            "point_cloud",
            "--normal-method",
            "open3d",
        ]
        self._run("ns-export", arguments, progress=progress)
        return read_mesh(_require_file(work / "export/poisson_mesh.ply"), read_parser_transform(run))

    def _train(self, method: str, capture: Capture, work: Path, *, progress: ProgressCallback) -> Path:
        """Train a method and return the folder of its run."""
        write_dataset(capture, work / "data", rng=np.random.default_rng(self.config.seed))
        arguments = [method, "--output-dir", str(work / "runs"), "--experiment-name", "scan", "--timestamp", "run"]
        arguments += ["--max-num-iterations", str(self.config.iterations), "--machine.seed", str(self.config.seed)]
        arguments += ["--vis", "tensorboard", "nerfstudio-data", "--data", str(work / "data")]
        arguments += ["--orientation-method", "none", "--center-method", "poses", "--eval-mode", "all"]
        self._run("ns-train", arguments, progress=progress)
        return _require_file(work / "runs/scan" / method / "run/config.yml").parent

    def _run(self, program: str, arguments: list[str], *, progress: ProgressCallback) -> None:
        """Run one of nerfstudio's programs to its end; raises StageError with its last lines where it fails."""
        child = subprocess.Popen(
            bound_command([str(self._program(program)), *arguments]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environment(),
            start_new_session=True,
        )
        assert child.stdout is not None
        last: list[str] = []
        try:
            for line in child.stdout:
                last = [*last, line.rstrip()][-SHOWN_LINES:]
                step = PROGRESS_LINE.match(line)
                if step is not None:
                    progress(f"{program} {arguments[0]}", min(1.0, float(step[2]) / 100.0))
            code = child.wait()
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            child.stdout.close()
        if code != 0:
            raise StageError(f"{program} ended with code {code}:\n" + "\n".join(last), stage="nerfstudio")
        progress(f"{program} {arguments[0]}", 1.0)

    def _program(self, name: str) -> Path:
        return self.config.environment / "bin" / name

    def _environment(self) -> dict[str, str]:
        """Return the child's environment variables: ours, without those that point to our Python libraries."""
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
        return variables | {
            "PATH": f"{self.config.environment / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        }


def write_dataset(capture: Capture, folder: Path, *, rng: np.random.Generator) -> None:
    """Write a nerfstudio data set in metres: pictures, cameras and a point cloud of the depth."""
    color_frames = [
        frame for frame in capture.frames if frame.color_path is not None and frame.color_camera is not None
    ]
    if len(color_frames) < MIN_PICTURES:
        raise InputError(
            f"{len(color_frames)} colour pictures",
            expected=f"at least {MIN_PICTURES}",
            hint="Export the scan with its colour pictures.",
        )
    (folder / "images").mkdir(parents=True)
    for frame in color_frames:
        assert frame.color_path is not None
        shutil.copyfile(frame.color_path, folder / f"images/{frame.index:06d}.jpg")
    points = trimesh.PointCloud(*_seed_cloud(color_frames, rng))
    (folder / "points.ply").write_bytes(points.export(file_type="ply"))
    record = {
        "camera_model": "OPENCV",
        "ply_file_path": "points.ply",
        "applied_transform": np.eye(4)[:3].tolist(),
        "frames": [_frame_record(frame) for frame in color_frames],
    }
    (folder / "transforms.json").write_text(json.dumps(record))


def read_parser_transform(run: Path) -> ParserTransform:
    """Return the data parser's transform of a run; raises StageError where it is no rotation and scale."""
    record: dict[str, Any] = json.loads(_require_file(run / "dataparser_transforms.json").read_text())
    matrix, scale = np.array(record["transform"], dtype=np.float64), float(record["scale"])
    rotation = matrix[:3, :3]
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > 1e-4 or np.linalg.det(rotation) < 0.0 or not scale > 0.0:
        raise StageError("dataparser_transforms.json holds no rotation and scale", stage="nerfstudio")
    left, _, right = np.linalg.svd(rotation)
    return ParserTransform(rotation=left @ right, translation_m=matrix[:3, 3], scale=scale)


def read_mesh(path: Path, parsed: ParserTransform) -> Mesh:
    """Return an exported mesh (.ply, .obj) in the capture's metres, with its colours by vertex."""
    loaded = trimesh.load(path, process=False, force="mesh")
    mesh = Mesh.from_trimesh(loaded)
    colors = loaded.visual.vertex_colors[:, :3] if loaded.visual.kind == "vertex" else None
    return Mesh(
        vertices=parsed.restore_points(mesh.vertices),
        faces=mesh.faces,
        colors=None if colors is None else np.asarray(colors, dtype=np.uint8),
    )


def _export_options(run: Path, export: Path) -> list[str]:
    return ["--load-config", str(run / "config.yml"), "--output-dir", str(export)]


def _require_file(path: Path) -> Path:
    if not path.is_file():
        raise StageError(f"nerfstudio left no {path.name}", stage="nerfstudio")
    return path


def _frame_record(frame: Frame) -> dict[str, Any]:
    camera = frame.color_camera
    assert camera is not None
    return {
        "file_path": f"images/{frame.index:06d}.jpg",
        "transform_matrix": (frame.world_from_camera @ GL_FROM_CV).tolist(),
        "w": camera.width,
        "h": camera.height,
        "fl_x": camera.fx,
        "fl_y": camera.fy,
        "cx": camera.cx + 0.5,
        "cy": camera.cy + 0.5,
        "k1": 0.0,
        "k2": 0.0,
        "p1": 0.0,
        "p2": 0.0,
    }


def _seed_cloud(frames: list[Frame], rng: np.random.Generator) -> tuple[Array, Array]:
    """Return points [n, 3] of the confident depth [m] and their colours, uint8 [n, 3]."""
    share = MAX_SEED_POINTS // len(frames)
    points, colors = [], []
    for frame in frames:
        color = frame.color(width=frame.depth_camera.width)
        assert color is not None
        rows, columns = np.nonzero((frame.depth_m > 0.0) & (frame.confidence == 2))
        selected = rng.permutation(len(rows))[:share]
        rows, columns = rows[selected], columns[selected]
        local = unproject(frame.depth_m, frame.depth_camera)[rows, columns]
        points.append(transform(frame.world_from_camera, local))
        colors.append(color[np.minimum(rows, len(color) - 1), columns])
    return np.concatenate(points), np.concatenate(colors)
