"""MCAP: one file per episode, JSON messages with their schemas, as Foxglove and other players open them.

Object poses are Foxglove's `FrameTransforms` and images its `CompressedImage`, so both are shown without a converter.
Times are those of the episode, from 0; metadata hold the digests and the outcome. An episode that the engine failed to
begin is a file without messages. A number that is not finite is written as null.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from mcap.writer import CompressionType, Writer
from PIL import Image

from cousins.geometry import Array
from sim.recording.columns import episode_outcome
from sim.recording.rendering import Camera
from sim.recording.rollouts import Rollout, RunMetadata

INDEX_FILE: Final = "episodes.json"
"""Index of all episodes with their files and outcomes."""
LIBRARY: Final = "cousins"
_NUMBERS_SCHEMA: Final = {"type": "array", "items": {"type": ["number", "null"]}}
_TIME_SCHEMA: Final = {"type": "object", "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}}}


def _object_schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_POINT_SCHEMA: Final = _object_schema(x={"type": "number"}, y={"type": "number"}, z={"type": "number"})
_QUATERNION_SCHEMA: Final = _object_schema(
    x={"type": "number"}, y={"type": "number"}, z={"type": "number"}, w={"type": "number"}
)
_TEXT_SCHEMA: Final = {"type": "string"}
_TRANSFORM_SCHEMA: Final = _object_schema(
    timestamp=_TIME_SCHEMA,
    parent_frame_id=_TEXT_SCHEMA,
    child_frame_id=_TEXT_SCHEMA,
    translation=_POINT_SCHEMA,
    rotation=_QUATERNION_SCHEMA,
)
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "cousins.Numbers": _object_schema(names={"type": "array", "items": _TEXT_SCHEMA}, values=_NUMBERS_SCHEMA),
    "cousins.Joints": _object_schema(
        names={"type": "array", "items": _TEXT_SCHEMA}, position=_NUMBERS_SCHEMA, velocity=_NUMBERS_SCHEMA
    ),
    "cousins.Step": _object_schema(
        reward={"type": ["number", "null"]},
        progress={"type": ["number", "null"]},
        success={"type": "object", "additionalProperties": {"type": "boolean"}},
        terminated={"type": "boolean"},
        truncated={"type": "boolean"},
        fault=_TEXT_SCHEMA,
    ),
    "foxglove.FrameTransforms": _object_schema(transforms={"type": "array", "items": _TRANSFORM_SCHEMA}),
    "foxglove.CompressedImage": _object_schema(
        timestamp=_TIME_SCHEMA,
        frame_id=_TEXT_SCHEMA,
        data={"type": "string", "contentEncoding": "base64"},
        format=_TEXT_SCHEMA,
    ),
}
"""JSON Schema of each message type by name."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options of the format."""

    jpeg_quality: int = 85
    """JPEG quality of images, 1 to 95."""


def build(config: Config) -> McapWriter:
    """Return the writer."""
    return McapWriter(config)


class McapWriter:
    """Writes one file per episode, and an index."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def write(
        self, rollouts: Iterable[Rollout], metadata: RunMetadata, folder: Path, *, cameras: Mapping[str, Camera]
    ) -> None:
        """Write all rollouts into an empty folder."""
        episodes = []
        for number, rollout in enumerate(rollouts):
            name = f"episode-{number:06d}.mcap"
            self._write_episode(rollout, folder / name, cameras)
            episodes.append({"file": name, "steps": rollout.steps} | episode_outcome(rollout))
        index = {"about": asdict(metadata), "episodes": episodes}
        (folder / INDEX_FILE).write_text(json.dumps(index, indent=1, allow_nan=False) + "\n")

    def _write_episode(self, rollout: Rollout, path: Path, cameras: Mapping[str, Camera]) -> None:
        with path.open("wb") as stream:
            writer = Writer(stream, compression=CompressionType.ZSTD)
            writer.start(library=LIBRARY)
            for name, texts in _episode_metadata(rollout).items():
                writer.add_metadata(name, texts)
            schemas: dict[str, int] = {}
            channels: dict[str, int] = {}
            renderings = {name: camera.render_rollout(rollout) for name, camera in cameras.items()}
            for step in range(rollout.steps):
                time_ns = round(step * rollout.metadata.step_s * 1e9)
                for topic, schema, message in self._messages(rollout, step, time_ns, renderings):
                    if schema not in schemas:
                        text = json.dumps(SCHEMAS[schema]).encode()
                        schemas[schema] = writer.register_schema(name=schema, encoding="jsonschema", data=text)
                    if topic not in channels:
                        channels[topic] = writer.register_channel(
                            topic=topic, message_encoding="json", schema_id=schemas[schema]
                        )
                    data = json.dumps(message, allow_nan=False).encode()
                    writer.add_message(channels[topic], log_time=time_ns, publish_time=time_ns, data=data)
            writer.finish()

    def _messages(
        self, rollout: Rollout, step: int, time_ns: int, renderings: Mapping[str, Iterator[Array]]
    ) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield topic, schema and message of everything in a step."""
        metadata, state = rollout.metadata, rollout.state
        yield "/observation/policy", "cousins.Numbers", _numbers_message((), rollout.policy[step])
        yield "/observation/privileged", "cousins.Numbers", _numbers_message((), rollout.privileged[step])
        yield "/action", "cousins.Numbers", _numbers_message(metadata.actions, rollout.action[step])
        joints = [f"{name}.{number}" for name, number in metadata.slots.joints]
        drive_position, drive_velocity = state.drive_position[step], state.drive_velocity[step]
        yield "/robot", "cousins.Joints", _joints_message(metadata.drives, drive_position, drive_velocity)
        yield (
            "/joints",
            "cousins.Joints",
            _joints_message(joints, state.joint_position[step], state.joint_velocity[step]),
        )
        yield "/tf", "foxglove.FrameTransforms", {"transforms": list(_transform_messages(rollout, step, time_ns))}
        for name, rendering in renderings.items():
            yield f"/camera/{name}", "foxglove.CompressedImage", self._image_message(next(rendering), name, time_ns)
        yield "/step", "cousins.Step", _step_message(rollout, step)

    def _image_message(self, picture: Array, name: str, time_ns: int) -> dict[str, Any]:
        data = io.BytesIO()
        Image.fromarray(picture).save(data, format="JPEG", quality=self.config.jpeg_quality)
        text = base64.b64encode(data.getvalue()).decode()
        return {"timestamp": _timestamp(time_ns), "frame_id": name, "data": text, "format": "jpeg"}


def _episode_metadata(rollout: Rollout) -> dict[str, dict[str, str]]:
    """Return the metadata records of an episode by name; MCAP allows only strings as values."""
    run = asdict(rollout.metadata)
    del run["slots"]
    return {"about": _as_texts(run), "episode": _as_texts({"steps": rollout.steps} | episode_outcome(rollout))}


def _as_texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


def _numbers_message(names: Sequence[str], values: Array) -> dict[str, Any]:
    return {"names": list(names), "values": _finite_or_none(values)}


def _joints_message(names: Sequence[str], position: Array, velocity: Array) -> dict[str, Any]:
    return {"names": list(names), "position": _finite_or_none(position), "velocity": _finite_or_none(velocity)}


def _transform_messages(rollout: Rollout, step: int, time_ns: int) -> Iterator[dict[str, Any]]:
    """Yield the poses of the present objects, and of the tip, in the world frame."""
    state, names = rollout.state, rollout.metadata.slots.objects
    poses = [
        (name, state.position_m[step, column], state.quat_wxyz[step, column])
        for column, name in enumerate(names)
        if state.present[step, column]
    ]
    poses.append((f"{rollout.metadata.body}.tip", state.tip_position_m[step], state.tip_quat_wxyz[step]))
    for name, position_m, quat_wxyz in poses:
        yield {
            "timestamp": _timestamp(time_ns),
            "parent_frame_id": "world",
            "child_frame_id": name,
            "translation": dict(zip("xyz", position_m.tolist(), strict=True)),
            "rotation": dict(zip("wxyz", quat_wxyz.tolist(), strict=True)),
        }


def _step_message(rollout: Rollout, step: int) -> dict[str, Any]:
    """Return the message with the result of a step."""
    last = step == rollout.steps - 1
    return {
        "reward": _finite_or_none(rollout.reward[step : step + 1])[0],
        "progress": _finite_or_none(rollout.progress[step : step + 1])[0],
        "success": dict(zip(rollout.metadata.profiles, rollout.successes[step].tolist(), strict=True)),
        "terminated": last and rollout.terminated,
        "truncated": last and rollout.truncated,
        "fault": rollout.fault if last else "",
    }


def _finite_or_none(values: Array) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _timestamp(time_ns: int) -> dict[str, int]:
    return {"sec": time_ns // 1_000_000_000, "nsec": time_ns % 1_000_000_000}
