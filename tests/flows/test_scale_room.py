"""A layout scan measures the scale of photos in the stages, and is rejected where it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cousins.capture.captures import Capture
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.errors import InputError
from cousins.importers.recognition import recognise_input
from cousins.store import Store
from flows.execution.executor import StageExecutor
from flows.execution.stage import deferred
from flows.pipeline.run_scan import run_scan
from flows.pipeline.scan_options import ScanOptions, resolve_options
from flows.pipeline.scan_results import ScanRequest
from flows.pipeline.stages import ALIGN_TO_LAYOUT, INGEST, REFINE
from tests.cousins.rooms.test_rooms import columns, room_of, surface
from tests.cousins.rooms.test_wall_scale import LONG_M, WIDE_M, photos


def room_file(folder: Path) -> Path:
    """RoomPlan's JSON of the room that `photos` shows."""
    walls = [
        surface("wall", (LONG_M, 2.5), columns((0.0, 1.25, -0.5 * WIDE_M))),
        surface("wall", (WIDE_M, 2.5), columns((0.5 * LONG_M, 1.25, 0.0), np.pi / 2)),
        surface("wall", (LONG_M, 2.5), columns((0.0, 1.25, 0.5 * WIDE_M), np.pi)),
        surface("wall", (WIDE_M, 2.5), columns((-0.5 * LONG_M, 1.25, 0.0), -np.pi / 2)),
    ]
    path = folder / "Room.json"
    path.write_text(json.dumps(room_of(walls=walls)))
    return path


def written(capture: Capture, folder: Path) -> Path:
    with CaptureWriter(
        folder, name="photos", device="unknown", app="photos", scale=capture.scale, gravity_known=True
    ) as writer:
        for frame in capture.frames:
            writer.add(
                timestamp_s=frame.timestamp_s,
                world_from_camera=frame.world_from_camera,
                depth_camera=frame.depth_camera,
                depth_m=frame.depth_m,
                confidence=frame.confidence,
            )
        writer.close()
    return folder


def test_photos_are_put_into_the_metres_of_a_layout_scan(tmp_path: Path) -> None:
    export = recognise_input(written(photos(metre=0.4), tmp_path / "capture"))
    options = resolve_options(ScanOptions(scale_room=room_file(tmp_path)))
    executor = StageExecutor(store=Store(tmp_path / "store"), options=options)
    refined = executor.run(REFINE(capture=deferred(executor.run(INGEST(export=export)))))
    aligned = executor.run(ALIGN_TO_LAYOUT(refined=deferred(refined)))
    before, after = executor.load(refined).capture.scale, executor.load(aligned).capture.scale
    assert (before.source, after.source) == ("assumed", "measured by 4 walls of a layout scan")
    assert after.error < 0.02


def test_what_is_no_layout_scan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("{}")
    for path in (tmp_path / "nothing.json", tmp_path / "notes.json"):
        with pytest.raises(InputError, match=r"no layout scan at .* RoomPlan"):
            resolve_options(ScanOptions(scale_room=path))


def test_a_tape_and_a_layout_scan_are_not_mixed(tmp_path: Path) -> None:
    options = ScanOptions(scale_room=room_file(tmp_path), scale_distances=("tag0:tag1=0.5",))
    request = ScanRequest(
        source=written(photos(metre=0.4), tmp_path / "capture"), output=tmp_path / "scene", options=options
    )
    with pytest.raises(InputError, match=r"A tape is better than a layout scan"):
        run_scan(request)


def test_a_layout_scan_measures_no_mesh(tmp_path: Path) -> None:
    room = room_file(tmp_path)
    request = ScanRequest(source=room, output=tmp_path / "scene", options=ScanOptions(scale_room=room))
    with pytest.raises(InputError, match=r"which has no pictures.*--scale-room"):
        run_scan(request)


def test_options_that_need_pictures_are_refused_for_a_layout_scan(tmp_path: Path) -> None:
    options = ScanOptions(format="polycam")
    request = ScanRequest(source=room_file(tmp_path), output=tmp_path / "scene", options=options)
    with pytest.raises(InputError, match=r"--format for .Room.json., which has no pictures"):
        run_scan(request)
