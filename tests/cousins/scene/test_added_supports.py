"""What becomes of an object under which no surface was found: hidden below it gets a support, else it is no object."""

from __future__ import annotations

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Array, Intrinsics, rigid
from cousins.meshes import Mesh
from cousins.scene.layout.assemble import assemble
from cousins.segment.segments import Plane, Segmentation
from tests.cousins.rendered_captures import rendered_capture
from tests.cousins.scene.scenes_for_tests import box_asset

CAMERA = Intrinsics(width=120, height=90, fx=100.0, fy=100.0, cx=59.5, cy=44.5)
FLOOR = Plane(
    name="floor",
    kind="floor",
    normal=np.array([0.0, 0.0, 1.0]),
    offset_m=0.0,
    outline=np.array([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]]),
)
HANGING = rigid(translation=np.array([0.0, 0.0, 0.425]))


def camera_at(x: float, y: float, z: float) -> Array:
    """Return the pose of a camera at a point that looks at the hanging box from the side, image upright."""
    forward = HANGING[:3, 3] - [x, y, z]
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return rigid(np.stack([right, np.cross(forward, right), forward], axis=1), np.array([x, y, z]))


def capture_of_hanging_box(heights_m: tuple[float, ...]) -> Capture:
    """Return views of a box 40 cm above a floor, from the heights given."""
    h = 6.0
    floor = Mesh(
        vertices=np.array([[-h, -h, 0.0], [h, -h, 0.0], [h, h, 0.0], [-h, h, 0.0]]),
        faces=np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32),
    )
    box = box_asset().links[0].visual.transformed(HANGING)
    return rendered_capture([floor, box], CAMERA, [camera_at(0.9, 0.1 * i, z) for i, z in enumerate(heights_m)])


def test_what_hangs_in_seen_air_is_fixed_surface_and_not_an_object() -> None:
    capture = capture_of_hanging_box((0.5, 0.45, 0.4, 0.4))
    scene = assemble("s", [(box_asset("lamp"), HANGING)], Segmentation(planes=(FLOOR,), segments=()), capture)
    assert scene.objects == ()
    assert [structure.kind for structure in scene.structures] == ["floor", "remainder"]
    assert any("lamp was kept as fixed surface" in note for note in scene.fallbacks)
    tops = [piece.mesh.vertices[:, 2].max() for piece in scene.structures[1].pieces]
    assert 0.42 < max(tops) < 0.48


def test_where_no_view_shows_what_is_below_a_support_is_added() -> None:
    capture = capture_of_hanging_box((1.6, 1.65, 1.7, 1.75))
    hidden = rigid(translation=np.array([0.0, 0.0, 0.425]))
    steep = rendered_capture(
        [box_asset().links[0].visual.transformed(hidden)], CAMERA, [frame.world_from_camera for frame in capture.frames]
    )
    scene = assemble("s", [(box_asset("case"), hidden)], Segmentation(planes=(FLOOR,), segments=()), steep)
    assert [placed.asset.name for placed in scene.objects] == ["case"]
    assert "table_added" in {structure.name for structure in scene.structures}
