from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from cousins.segment.mask_lifting import LiftConfig, lift


def test_masks_without_identity_become_one_instance_each(made: SimpleNamespace) -> None:
    things = [made.box((-0.2, -0.05, 0.0), (-0.08, 0.05, 0.15)), made.box((0.1, -0.1, 0.0), (0.2, 0.06, 0.08))]
    capture, bodies = made.film(things, made.views(6))
    masks = {k: [image == body for body in ((1, 2) if k % 2 else (2, 1))] for k, image in enumerate(bodies)}
    found = lift(capture, masks)
    assert len(found) == 2
    for instance in found:
        body = int(np.median(bodies[0][instance.masks[0]]))
        assert all(np.array_equal(mask, bodies[k] == body) for k, mask in instance.masks.items())
        assert sorted(instance.masks) == list(range(6))


def test_a_mask_that_one_frame_alone_shows_is_dropped(made: SimpleNamespace) -> None:
    capture, bodies = made.film([made.box((-0.1, -0.05, 0.0), (0.0, 0.05, 0.1))], made.views(10))
    masks = {k: [image == 1] for k, image in enumerate(bodies)}
    ghost = bodies[2] == 0
    ghost[:150] = False
    masks[2] = [*masks[2], ghost]
    assert len(lift(capture, masks)) == 1
    assert len(lift(capture, masks, config=LiftConfig(min_frames=1))) == 2


def test_no_masks_give_no_instances(made: SimpleNamespace) -> None:
    capture, _ = made.film([], made.views(2))
    assert lift(capture, {}) == ()
