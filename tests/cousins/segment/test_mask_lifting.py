from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from cousins.segment.mask_lifting import LiftConfig, lift_masks


def test_masks_without_identity_become_one_object_each(scene_builder: SimpleNamespace) -> None:
    boxes = [
        scene_builder.box((-0.2, -0.05, 0.0), (-0.08, 0.05, 0.15)),
        scene_builder.box((0.1, -0.1, 0.0), (0.2, 0.06, 0.08)),
    ]
    capture, bodies = scene_builder.film(boxes, scene_builder.views(6))
    masks = {k: [image == body for body in ((1, 2) if k % 2 else (2, 1))] for k, image in enumerate(bodies)}
    objects = lift_masks(capture, masks)
    assert len(objects) == 2
    for lifted in objects:
        body = int(np.median(bodies[0][lifted.masks[0]]))
        assert all(np.array_equal(mask, bodies[k] == body) for k, mask in lifted.masks.items())
        assert sorted(lifted.masks) == list(range(6))


def test_a_mask_that_one_frame_alone_shows_is_dropped(scene_builder: SimpleNamespace) -> None:
    capture, bodies = scene_builder.film(
        [scene_builder.box((-0.1, -0.05, 0.0), (0.0, 0.05, 0.1))], scene_builder.views(10)
    )
    masks = {k: [image == 1] for k, image in enumerate(bodies)}
    ghost = bodies[2] == 0
    ghost[:150] = False
    masks[2] = [*masks[2], ghost]
    assert len(lift_masks(capture, masks)) == 1
    assert len(lift_masks(capture, masks, config=LiftConfig(min_frames=1))) == 2


def test_no_masks_give_no_objects(scene_builder: SimpleNamespace) -> None:
    capture, _ = scene_builder.film([], scene_builder.views(2))
    assert lift_masks(capture, {}) == ()
