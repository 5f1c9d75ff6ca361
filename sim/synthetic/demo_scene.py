"""The scene of the demo: a desk with objects on it, all procedural and free of licences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cousins.geometry import Array, rigid, rotation_about
from cousins.meshes import Mesh
from sim.synthetic import primitives, procedural_textures
from sim.synthetic.phone import PhoneBody, PhoneWorld

TABLE_SIZE_M = (1.3, 0.75, 0.03)
"""Length, depth and thickness of the table top [m]."""
TABLE_HEIGHT_M = 0.73
"""Height of its upper side [m]."""
ROOM_M = (5.0, 4.6, 2.5)
"""Length, width and height of the room [m]."""
PLACEMENT_JITTER_M = 0.012
"""Largest offset of an object from its default place along each axis [m]."""


def demo_world(rng: np.random.Generator) -> PhoneWorld:
    """Return a desk in a room with a mug, a bowl, a cereal box, a can, a bottle and a book with a tin on it.

    The generator varies the poses of the objects a little and draws the grain of the wood.
    """
    object_rng, structure_rng, place_rng = rng.spawn(3)
    book, book_pose = _book(object_rng), _table_pose(-0.13, -0.14, 0.35, place_rng)
    book_top = float(book.vertices[:, 2].max())
    tin_pose = book_pose @ rigid(None, np.array([0.02, 0.01, book_top]))
    placed = [
        ("cereal_box", "cereal box", _cereal_box(object_rng), _table_pose(-0.26, 0.15, 0.22, place_rng)),
        ("mug", "mug", _mug(object_rng), _table_pose(0.17, -0.17, -0.7, place_rng)),
        ("bowl", "bowl", _bowl(object_rng), _table_pose(0.16, 0.07, 0.0, place_rng)),
        ("can", "can", _can(object_rng), _table_pose(-0.06, 0.08, 1.1, place_rng)),
        ("bottle", "bottle", _bottle(object_rng), _table_pose(0.03, 0.21, 0.6, place_rng)),
        ("book", "book", book, book_pose),
        ("tin", "tin", _tin(object_rng), tin_pose),
    ]
    bodies = tuple(
        PhoneBody(name=name, label=label, mesh=mesh, world_from_body=pose) for name, label, mesh, pose in placed
    )
    return PhoneWorld(bodies=bodies, structures=_room(structure_rng), name="demo desk")


def _table_pose(x: float, y: float, yaw_rad: float, rng: np.random.Generator) -> Array:
    """Return a pose [4, 4] on the table near a default place."""
    dx, dy = rng.uniform(-PLACEMENT_JITTER_M, PLACEMENT_JITTER_M, size=2)
    yaw = yaw_rad + rng.uniform(-0.2, 0.2)
    return rigid(rotation_about(np.array([0.0, 0.0, 1.0]), float(yaw)), np.array([x + dx, y + dy, TABLE_HEIGHT_M]))


def _room(rng: np.random.Generator) -> tuple[tuple[str, Mesh], ...]:
    length, depth, thickness = TABLE_SIZE_M
    top = _plank((length, depth, thickness), procedural_textures.wood((512, 1024), (168, 124, 82), rng, planks=5), rng)
    structures = [("table", _translated(top, (0.0, 0.0, TABLE_HEIGHT_M - thickness)))]
    leg = procedural_textures.atlas([procedural_textures.wood((256, 64), (122, 88, 58), rng, planks=1)] * 6, (256, 64))
    for number, (sx, sy) in enumerate([(-1, -1), (1, -1), (1, 1), (-1, 1)]):
        foot = (sx * (length / 2 - 0.06), sy * (depth / 2 - 0.06), 0.0)
        structures.append(
            (f"leg_{number}", _translated(primitives.box((0.06, 0.06, TABLE_HEIGHT_M - thickness), leg), foot))
        )
    width, breadth, height = ROOM_M
    floor = procedural_textures.parquet((1472, 1600), (176, 146, 112), rng, rows=36, length_px=380)
    structures.append(("floor", _translated(_plank((width, breadth, 0.05), floor, rng), (0.0, 0.0, -0.05))))
    paint = procedural_textures.mottled((128, 256), (214, 211, 201), rng, mottle=1.5)
    paint[-6:] = (238, 237, 233)
    cover = procedural_textures.atlas([paint] * 6, (128, 256))
    for number, (x, y, size) in enumerate(
        [
            (0.0, breadth / 2 + 0.05, (width + 0.2, 0.1, height)),
            (-width / 2 - 0.05, 0.0, (0.1, breadth, height)),
            (0.0, -breadth / 2 - 0.05, (width + 0.2, 0.1, height)),
            (width / 2 + 0.05, 0.0, (0.1, breadth, height)),
        ]
    ):
        structures.append((f"wall_{number}", _translated(primitives.box(size, cover), (x, y, 0.0))))
    return tuple(structures)


def _plank(size_m: Sequence[float], top: Array, rng: np.random.Generator) -> Mesh:
    """Return a board whose upper side has the texture `top` [h, w, 3] and whose rim has its mean colour."""
    red, green, blue = (int(level) for level in top.reshape(-1, 3).mean(axis=0) * 0.8)
    rim = procedural_textures.mottled((64, 64), (red, green, blue), rng)
    cells = [rim, rim, rim, rim, top, rim]
    return primitives.box(size_m, procedural_textures.atlas(cells, (top.shape[0], top.shape[1])))


def _translated(mesh: Mesh, offset_m: tuple[float, float, float]) -> Mesh:
    return mesh.transformed(rigid(None, np.array(offset_m)))


def _cereal_box(rng: np.random.Generator) -> Mesh:
    red, cream, blue = (196, 44, 36), (250, 236, 200), (32, 62, 120)
    front = procedural_textures.printed_label(
        (768, 540), red, cream, [("CRUNCHY", 0.11), ("OATS", 0.2), ("with honey & almonds", 0.05)], band=blue
    )
    front = front.copy()
    y, x = np.mgrid[:768, :540]
    plate = ((x - 270) / 210.0) ** 2 + ((y - 610) / 75.0) ** 2
    front[plate < 1.0] = (238, 240, 244)
    grains = procedural_textures.mottled((768, 540), (201, 152, 84), rng, mottle=22.0)
    front[plate < 0.72] = grains[plate < 0.72]
    back = procedural_textures.small_print((768, 540), cream, blue, rng, title="Nutrition facts")
    side = procedural_textures.printed_label((768, 180), red, cream, [("OATS", 0.1), ("500 g", 0.05)], band=blue)
    lid = procedural_textures.printed_label((180, 540), red, cream, [("CRUNCHY OATS", 0.35)], band=red)
    return primitives.box(
        (0.19, 0.062, 0.27), procedural_textures.atlas([front, side, back, side, lid, lid], (768, 540))
    )


def _book(rng: np.random.Generator) -> Mesh:
    cover = procedural_textures.printed_label(
        (480, 704), (26, 72, 74), (236, 205, 120), [("THE SHAPE", 0.16), ("OF SMALL THINGS", 0.12), ("a novel", 0.07)],
        band=(18, 54, 56),
    )  # fmt: skip
    spine = procedural_textures.printed_label(
        (96, 480), (26, 72, 74), (236, 205, 120), [("THE SHAPE OF SMALL THINGS", 0.4)], band=(18, 54, 56)
    )
    leaves = procedural_textures.page_edges((96, 704), rng, along_width=True)
    leaves[:7], leaves[-7:] = (26, 72, 74), (26, 72, 74)
    back = procedural_textures.mottled((480, 704), (26, 72, 74), rng)
    return primitives.box(
        (0.235, 0.16, 0.034), procedural_textures.atlas([leaves, leaves, leaves, spine, cover, back], (480, 704))
    )


def _can(rng: np.random.Generator) -> Mesh:
    outline = [
        (0.0, 0.002), (0.0295, 0.002), (0.0305, 0.0), (0.033, 0.001), (0.0335, 0.003), (0.0325, 0.006),
        (0.0325, 0.0965), (0.0335, 0.0995), (0.033, 0.1015), (0.0312, 0.102), (0.0305, 0.099), (0.0, 0.099),
    ]  # fmt: skip
    profile = _with_arc_length(outline)
    metal = procedural_textures.mottled((1024, 1024), (178, 180, 184), rng, mottle=4.0)
    paper = procedural_textures.printed_label(
        (512, 1156), (232, 190, 60), (150, 26, 30), [("TOMATO", 0.2), ("SOUP", 0.2), ("ready in 5 minutes", 0.07)],
        band=(150, 26, 30), repeats=2,
    )  # fmt: skip
    return primitives.revolution(
        profile, procedural_textures.wrap_around(metal, [(profile[5][2], profile[6][2], paper)])
    )


def _tin(rng: np.random.Generator) -> Mesh:
    outline = [
        (0.0, 0.0), (0.031, 0.0), (0.0325, 0.0015), (0.0325, 0.042), (0.0338, 0.0425), (0.0338, 0.0575),
        (0.032, 0.0595), (0.0, 0.0595),
    ]  # fmt: skip
    profile = _with_arc_length(outline)
    ground = procedural_textures.mottled((768, 1024), (38, 54, 88), rng, mottle=2.0)
    paper = procedural_textures.printed_label(
        (256, 1300), (222, 214, 190), (38, 54, 88), [("EARL GREY", 0.3), ("loose leaf tea", 0.14)],
        band=(164, 128, 60), repeats=2,
    )  # fmt: skip
    return primitives.revolution(
        profile, procedural_textures.wrap_around(ground, [(profile[2][2], profile[3][2], paper)])
    )


def _bottle(rng: np.random.Generator) -> Mesh:
    turn = np.linspace(0.0, np.pi / 2, 9)
    shoulder = [(0.016 + 0.018 * np.cos(a), 0.145 + 0.022 * np.sin(a)) for a in turn]
    outline = [
        (0.0, 0.0), (0.031, 0.0), (0.034, 0.003), (0.034, 0.02), (0.034, 0.13), *shoulder,
        (0.0155, 0.174), (0.0175, 0.1745), (0.0175, 0.199), (0.0165, 0.2005), (0.0, 0.2005),
    ]  # fmt: skip
    profile = _with_arc_length(outline)
    ground = procedural_textures.mottled((1024, 1024), (58, 128, 92), rng, mottle=2.0)
    cap = procedural_textures.mottled((64, 1024), (236, 234, 228), rng, mottle=1.0)
    ridges = (cap * (0.92 + 0.08 * np.sign(np.sin(np.arange(1024) * 2 * np.pi / 16)))[None, :, None]).astype(np.uint8)
    paper = procedural_textures.printed_label(
        (512, 1000), (240, 240, 232), (34, 92, 62), [("ALOE", 0.2), ("hand wash", 0.11), ("250 ml", 0.07)],
        band=(120, 176, 120), repeats=2,
    )  # fmt: skip
    parts = [(profile[3][2], profile[4][2], paper), (profile[-4][2], 1.0, ridges)]
    return primitives.revolution(profile, procedural_textures.wrap_around(ground, parts))


def _bowl(rng: np.random.Generator) -> Mesh:
    outer = [(0.03 + 0.048 * np.sin(a), 0.062 - 0.056 * np.cos(a)) for a in np.linspace(0.12, np.pi / 2, 20)]
    rim = [(0.0775, 0.0638), (0.0758, 0.0648), (0.0741, 0.0638)]
    inner = [(0.025 + 0.0485 * np.sin(a), 0.062 - 0.0515 * np.cos(a)) for a in np.linspace(np.pi / 2, 0.05, 20)]
    outline = [
        (0.0, 0.0025),
        (0.028, 0.0025),
        (0.029, 0.0),
        (0.034, 0.0),
        (0.035, 0.004),
        *outer,
        *rim,
        *inner,
        (0.0, 0.0105),
    ]
    profile = _with_arc_length(outline)
    ground = procedural_textures.mottled((1024, 1024), (232, 226, 212), rng, mottle=3.0)
    glaze = procedural_textures.mottled((256, 1024), (46, 84, 142), rng, mottle=7.0)
    stripe = procedural_textures.mottled((16, 1024), (196, 120, 58), rng, mottle=3.0)
    low, high = profile[8][2], profile[24][2]
    stripe_v = [low + (high - low) * part for part in (0.62, 0.7)]
    return primitives.revolution(
        profile, procedural_textures.wrap_around(ground, [(low, high, glaze), (stripe_v[0], stripe_v[1], stripe)])
    )


def _mug(rng: np.random.Generator) -> Mesh:
    body = _with_arc_length(
        [
            (0.0, 0.0), (0.036, 0.0), (0.0395, 0.002), (0.041, 0.006), (0.041, 0.02), (0.041, 0.078), (0.041, 0.0935),
            (0.0402, 0.0955), (0.039, 0.096), (0.0, 0.096),
        ]
    )  # fmt: skip
    ground = procedural_textures.mottled((1024, 1024), (238, 236, 230), rng, mottle=2.0)
    picture = procedural_textures.printed_label(
        (512, 2200), (238, 236, 230), (206, 74, 52), [("GOOD", 0.3), ("MORNING", 0.24)], band=(240, 176, 64), repeats=3
    )
    texture = procedural_textures.wrap_around(ground, [(body[4][2], body[5][2], picture)])
    glaze = 0.5 * (body[-2][2] + 1.0)
    cavity = [(0.0, 0.006), (0.032, 0.006), (0.0358, 0.0085), (0.0368, 0.013), (0.0368, 0.094), (0.0385, 0.0965),
              (0.0385, 0.11), (0.0, 0.11)]  # fmt: skip
    turn = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 33)
    path = np.stack([0.0385 + 0.031 * np.cos(turn), np.zeros(33), 0.049 + 0.029 * np.sin(turn)], axis=1)
    handle = primitives.tube(path, (0.0065, 0.0048), uv=(0.5, glaze), texture=texture)
    return primitives.union(
        primitives.revolution(body, texture),
        handle,
        removed=primitives.revolution([(radius, height, glaze) for radius, height in cavity], texture),
    )


def _with_arc_length(outline: Sequence[tuple[float, float]]) -> list[tuple[float, float, float]]:
    """Return a profile of (radius, height) with v as its arc length, 0 to 1."""
    points = np.array(outline, dtype=np.float64)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return [(float(r), float(z), float(v)) for (r, z), v in zip(points, length / length[-1], strict=True)]
