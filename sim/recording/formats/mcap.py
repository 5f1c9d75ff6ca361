"""MCAP: a file for each episode, JSON messages with their schemas, as Foxglove and other players open them.

Object poses are Foxglove's `FrameTransforms` and pictures its `CompressedImage`, so both are shown without a converter.
Times are those of the episode, from 0; metadata hold the digests and how it went. An episode that no engine began is a
file without messages. A number that is not finite is written as null.
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
from sim.recording.columns import outcome_of
from sim.recording.rendering import Camera
from sim.recording.rollouts import About, Rollout

INDEX: Final = "episodes.json"
"""All episodes with their files and how they went."""
LIBRARY: Final = "cousins"
_NUMBERS: Final = {"type": "array", "items": {"type": ["number", "null"]}}
_TIME: Final = {"type": "object", "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}}}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_POINT: Final = _object(x={"type": "number"}, y={"type": "number"}, z={"type": "number"})
_TURN: Final = _object(x={"type": "number"}, y={"type": "number"}, z={"type": "number"}, w={"type": "number"})
_TEXT: Final = {"type": "string"}
_TRANSFORM: Final = _object(
    timestamp=_TIME, parent_frame_id=_TEXT, child_frame_id=_TEXT, translation=_POINT, rotation=_TURN
)
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "cousins.Numbers": _object(names={"type": "array", "items": _TEXT}, values=_NUMBERS),
    "cousins.Joints": _object(names={"type": "array", "items": _TEXT}, position=_NUMBERS, velocity=_NUMBERS),
    "cousins.Step": _object(
        reward={"type": ["number", "null"]},
        progress={"type": ["number", "null"]},
        success={"type": "object", "additionalProperties": {"type": "boolean"}},
        terminated={"type": "boolean"},
        truncated={"type": "boolean"},
        fault=_TEXT,
    ),
    "foxglove.FrameTransforms": _object(transforms={"type": "array", "items": _TRANSFORM}),
    "foxglove.CompressedImage": _object(
        timestamp=_TIME, frame_id=_TEXT, data={"type": "string", "contentEncoding": "base64"}, format=_TEXT
    ),
}
"""By name, as JSON Schema."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How it is written."""

    jpeg_quality: int = 85
    """Of pictures, 1 to 95."""


def build(config: Config) -> Mcap:
    """Return the writer."""
    return Mcap(config)


class Mcap:
    """Writes a file for each episode."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def write(self, rollouts: Iterable[Rollout], about: About, folder: Path, *, cameras: Mapping[str, Camera]) -> None:
        """Write all rollouts into an empty folder."""
        told = []
        for number, rollout in enumerate(rollouts):
            name = f"episode-{number:06d}.mcap"
            self._write_one(rollout, folder / name, cameras)
            told.append({"file": name, "steps": rollout.steps} | outcome_of(rollout))
        index = {"about": asdict(about), "episodes": told}
        (folder / INDEX).write_text(json.dumps(index, indent=1, allow_nan=False) + "\n")

    def _write_one(self, rollout: Rollout, path: Path, cameras: Mapping[str, Camera]) -> None:
        with path.open("wb") as stream:
            writer = Writer(stream, compression=CompressionType.ZSTD)
            writer.start(library=LIBRARY)
            for name, told in _metadata(rollout).items():
                writer.add_metadata(name, told)
            schemas: dict[str, int] = {}
            channels: dict[str, int] = {}
            films = {name: camera.film(rollout) for name, camera in cameras.items()}
            for step in range(rollout.steps):
                time_ns = round(step * rollout.about.step_s * 1e9)
                for topic, schema, message in self._messages(rollout, step, time_ns, films):
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
        self, rollout: Rollout, step: int, time_ns: int, films: Mapping[str, Iterator[Array]]
    ) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield topic, schema and message of all that belongs to a step."""
        about, state = rollout.about, rollout.state
        yield "/observation/policy", "cousins.Numbers", _numbers((), rollout.policy[step])
        yield "/observation/privileged", "cousins.Numbers", _numbers((), rollout.privileged[step])
        yield "/action", "cousins.Numbers", _numbers(about.actions, rollout.action[step])
        joints = [f"{name}.{number}" for name, number in about.slots.joints]
        yield "/robot", "cousins.Joints", _joints(about.drives, state.drive_position[step], state.drive_velocity[step])
        yield "/joints", "cousins.Joints", _joints(joints, state.joint_position[step], state.joint_velocity[step])
        yield "/tf", "foxglove.FrameTransforms", {"transforms": list(_transforms(rollout, step, time_ns))}
        for name, film in films.items():
            yield f"/camera/{name}", "foxglove.CompressedImage", self._picture(next(film), name, time_ns)
        yield "/step", "cousins.Step", _came(rollout, step)

    def _picture(self, picture: Array, name: str, time_ns: int) -> dict[str, Any]:
        data = io.BytesIO()
        Image.fromarray(picture).save(data, format="JPEG", quality=self.config.jpeg_quality)
        text = base64.b64encode(data.getvalue()).decode()
        return {"timestamp": _time(time_ns), "frame_id": name, "data": text, "format": "jpeg"}


def _metadata(rollout: Rollout) -> dict[str, dict[str, str]]:
    """Return what is told about an episode by name; MCAP takes texts alone."""
    about = asdict(rollout.about)
    del about["slots"]
    return {"about": _texts(about), "episode": _texts({"steps": rollout.steps} | outcome_of(rollout))}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


def _numbers(names: Sequence[str], values: Array) -> dict[str, Any]:
    return {"names": list(names), "values": _plain(values)}


def _joints(names: Sequence[str], position: Array, velocity: Array) -> dict[str, Any]:
    return {"names": list(names), "position": _plain(position), "velocity": _plain(velocity)}


def _transforms(rollout: Rollout, step: int, time_ns: int) -> Iterator[dict[str, Any]]:
    """Yield the poses of the objects that are there, and of the tip, in the world."""
    state, names = rollout.state, rollout.about.slots.objects
    poses = [
        (name, state.position_m[step, column], state.quat_wxyz[step, column])
        for column, name in enumerate(names)
        if state.present[step, column]
    ]
    poses.append((f"{rollout.about.body}.tip", state.tip_position_m[step], state.tip_quat_wxyz[step]))
    for name, place, quat in poses:
        yield {
            "timestamp": _time(time_ns),
            "parent_frame_id": "world",
            "child_frame_id": name,
            "translation": dict(zip("xyz", place.tolist(), strict=True)),
            "rotation": dict(zip("wxyz", quat.tolist(), strict=True)),
        }


def _came(rollout: Rollout, step: int) -> dict[str, Any]:
    """Return what came of a step."""
    last = step == rollout.steps - 1
    return {
        "reward": _plain(rollout.reward[step : step + 1])[0],
        "progress": _plain(rollout.progress[step : step + 1])[0],
        "success": dict(zip(rollout.about.profiles, rollout.successes[step].tolist(), strict=True)),
        "terminated": last and rollout.terminated,
        "truncated": last and rollout.truncated,
        "fault": rollout.fault if last else "",
    }


def _plain(values: Array) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _time(time_ns: int) -> dict[str, int]:
    return {"sec": time_ns // 1_000_000_000, "nsec": time_ns % 1_000_000_000}
