"""Make the pictures of the capture guide: good and bad scans of the demo's desk by the simulated phone.

python docs/capture_pictures.py docs/pictures [NAME ...]
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import cousins
from cousins.capture.captures import Capture, Frame
from cousins.capture.quality.assessment import assess_quality
from cousins.capture.quality.coverage import Coverage, measure_coverage
from cousins.geometry import Array, Intrinsics, invert, look_at, project, rigid, rotation_about, transform
from cousins.meshes import Mesh
from cousins.raster import ShadingLight, render, shade
from cousins.scale.sheet import draw_tag
from cousins.scale.tags import tag_corners
from cousins.scene.scenes import Scene, visual_meshes
from flows.reporting.pictures import NO_PHOTO, PORTRAIT
from sim.synthetic.demo_scene import TABLE_HEIGHT_M, demo_world
from sim.synthetic.phone import SKY, PhoneBody, PhoneConfig, PhoneWorld, record_capture

SEED: Final = 5
"""Seed of the desk and of every scan of it."""
PANEL_PX: Final = (440, 330)
"""Width and height of a panel."""
CAPTION_PX: Final = 66
"""Height of the text below a panel."""
GAP_PX: Final = 10
"""Between panels."""
SUPERSAMPLES: Final = 3
"""Rays per pixel along each axis."""
DESK_M: Final = (0.0, 0.0, TABLE_HEIGHT_M + 0.08)
"""Middle of the objects on the desk."""
INK, RED, GREEN, BLUE, ORANGE = (32, 36, 42), (206, 38, 38), (28, 140, 70), (38, 96, 190), (230, 140, 20)
LABEL_DROP_PX: Final = 21
"""How far below a tag its sides are written."""
TAG_SIDE_M: Final = 0.06
"""Side of the tags [m]."""


NEAR_LIMIT_M: Final = 0.3
"""The simulated phone does not know that a real LiDAR guesses below this: no samples are drawn there [m]."""
JPEG_QUALITY: Final = 78

Panel = tuple[Array, str, tuple[int, int, int]]
"""Picture [h, w, 3], the text below it, and the colour between them."""


def desk(*, walls: bool = True) -> PhoneWorld:
    """Return the demo's desk, with or without the walls of its room."""
    world = demo_world(np.random.default_rng(SEED))
    kept = [(name, mesh) for name, mesh in world.structures if walls or not name.startswith("wall")]
    return replace(world, structures=tuple(kept))


def scan(world: PhoneWorld, config: PhoneConfig) -> Capture:
    """Return a scan of a world; its folder stays until the program ends."""
    folder = Path(SCRATCH.name) / str(len(list(Path(SCRATCH.name).iterdir())))
    return record_capture(world, folder, config=config, rng=np.random.default_rng(SEED))[0]


def twin_of(capture: Capture) -> Scene:
    """Return the twin that a scan gives."""
    refined = cousins.refine_poses(capture)
    segmentation = cousins.segment_capture(refined.capture)
    objects = cousins.reconstruct_objects(refined.capture, segmentation)
    return cousins.assemble_twin(capture, refined, segmentation, objects)


def full_circle() -> PhoneConfig:
    """Return the phone that walks all the way around, higher and lower."""
    return PhoneConfig()


def one_side() -> PhoneConfig:
    """Return the phone that stays on one side."""
    return replace(full_circle(), turns=0.25, frames=60)


def low_circle() -> PhoneConfig:
    """Return the phone that walks around at the height of the objects."""
    return replace(full_circle(), elevation_deg=(2.0, 8.0))


def camera_path(target: Path) -> None:
    """Draw where the camera was, from above, and the arc where it never was."""
    panels = []
    for config in (full_circle(), one_side()):
        config = replace(config, frames=60, color_every=1000, radius_m=(0.8, 0.9), elevation_deg=(25.0, 50.0))
        capture = scan(desk(), config)
        coverage = measure_coverage(capture.frames, np.random.default_rng(0))
        assert coverage is not None
        findings = [finding for finding in assess_quality(capture).findings if finding.rule == "not-all-around"]
        degrees = np.rad2deg(coverage.azimuth_rad)
        text = findings[0].message if findings else f"Good: seen from {degrees:.0f}° of the circle."
        panels.append((_path_from_above(capture, coverage, bad=bool(findings)), text, RED if findings else GREEN))
    save(target / "camera_path.png", [panels])


def backs(target: Path) -> None:
    """Draw the far side of the desk, and of its twins from a full circle and from one side."""
    half = scan(desk(), one_side())
    centers = np.stack([frame.world_from_camera[:3, 3] for frame in half.frames])
    away = np.array(DESK_M)[:2] - centers[:, :2].mean(axis=0)
    away /= np.linalg.norm(away)
    eye = np.array(DESK_M) + np.array([0.75 * away[0], 0.75 * away[1], 0.5])
    world = desk()
    truth = [body.world_mesh for body in world.bodies] + [mesh for _, mesh in world.structures]
    rows = [
        (picture(truth, eye, light=ShadingLight(), background=SKY), "The desk, seen from its far side.", INK),
        (_twin_picture(scan(world, full_circle()), eye), "Good: the twin of a full circle.", GREEN),
        (_twin_picture(half, eye), "Bad: the twin of a scan from the near side only. Backs are guessed.", RED),
    ]
    save(target / "far_side.jpg", [rows])


def heights(target: Path) -> None:
    """Draw what a good and a low camera see, and what of a bowl their twins show."""
    rows = []
    above = np.array(DESK_M) + np.array([0.32, -0.2, 0.55])
    for config, text, ink in (
        (full_circle(), "Good: 20 to 60° above the objects. Tops and hollows are seen.", GREEN),
        (low_circle(), "Bad: at the height of the objects. They hide each other.", RED),
    ):
        capture = scan(desk(), replace(config, color_width=960))
        middle = next(frame for frame in capture.frames[len(capture.frames) // 3 :] if frame.color_path is not None)
        twin = "Its twin from above." if ink is GREEN else "Its twin from above: hollows and tops are guessed."
        rows.append([(photo(middle), text, ink), (_twin_picture(capture, above), twin, ink)])
    save(target / "height.jpg", rows)


def distances(target: Path) -> None:
    """Draw a mug with the phone's depth samples on it from three distances."""
    whole: list[Panel | None] = []
    samples: list[Panel | None] = []
    world = desk(walls=False)
    mug = next(body for body in world.bodies if body.name == "mug").world_mesh
    middle = 0.5 * (mug.vertices.min(axis=0) + mug.vertices.max(axis=0))
    for distance_m, text, ink in (
        (0.2, "Too near: 0.2 m. One object fills the picture; below 0.3 m the depth is a guess.", RED),
        (0.7, "Good: 0.7 m.", GREEN),
        (3.2, "Too far: 3.2 m. A mug is a handful of depth samples.", RED),
    ):
        config = replace(
            full_circle(), frames=2, color_every=1, color_width=1920, turns=0.02, target=tuple(middle.tolist()),
            radius_m=(distance_m, distance_m), elevation_deg=(35.0, 35.0), shake_m=0.0, shake_deg=0.0,
        )  # fmt: skip
        frame = scan(world, config).frames[0]
        whole.append((photo(frame), text, ink))
        samples.append(_depth_samples(frame, mug) if distance_m > NEAR_LIMIT_M else None)
    save(target / "distance.jpg", [whole, samples])


def tags(target: Path) -> None:
    """Draw flat tags and careless ones, with the side that the phone measures of each."""
    panels = []
    flat = {number: _tag_mesh(number) for number in range(4)}
    careless = {0: _tag_mesh(0, bend_rad=2.2), 1: _tag_mesh(1), 2: _tag_mesh(2, bend_rad=1.6), 3: _tag_mesh(3)}
    places = {0: (-0.32, -0.1, 0.1), 1: (0.02, -0.27, -0.2), 2: (0.32, -0.06, 0.4), 3: (0.2, 0.28, 0.0)}
    for meshes, careful in ((flat, True), (careless, False)):
        spots = dict(places)
        if not careful:
            spots[1] = (0.17, -0.19, -0.2)
            spots[3] = (0.16, 0.05, 0.0)
        bodies = [
            PhoneBody(name=f"tag_{number}", label="tag", mesh=mesh, world_from_body=_on_table(*spots[number]))
            for number, mesh in meshes.items()
        ]
        world = desk()
        world = replace(world, bodies=(*world.bodies, *bodies))
        config = replace(
            full_circle(), frames=14, color_every=1, color_width=1440, radius_m=(0.85, 0.9),
            elevation_deg=(60.0, 70.0), turns=0.5, target=DESK_M,
        )  # fmt: skip
        capture = scan(world, config)
        panels.append(_tag_panel(capture, spots, careful=careful))
    save(target / "tags.jpg", [panels])


def picture(meshes: Sequence[Mesh], eye: Array, *, light: ShadingLight, background: tuple[int, int, int]) -> Array:
    """Return meshes seen from a place towards the desk, uint8 [h, w, 3]."""
    width, height = PANEL_PX[0] * SUPERSAMPLES, PANEL_PX[1] * SUPERSAMPLES
    camera = Intrinsics(
        width=width, height=height, fx=1.15 * width, fy=1.15 * width, cx=(width - 1) / 2, cy=(height - 1) / 2
    )
    image = shade(render(meshes, camera, look_at(eye, np.array(DESK_M))), meshes, light=light, background=background)
    return _smaller(image)


def photo(frame: Frame) -> Array:
    """Return the photo of a frame in the size of a panel, uint8 [h, w, 3]."""
    image = frame.color()
    assert image is not None
    return np.asarray(Image.fromarray(image).resize(PANEL_PX, Image.Resampling.LANCZOS))


def pixels_of(points: Array, world_from_camera: Array, camera: Intrinsics) -> Array:
    """Return the pixels [n, 2] of points in the world [n, 3]."""
    return project(transform(invert(world_from_camera), points), camera)[0]


def save(path: Path, rows: Sequence[Sequence[Panel | None]]) -> None:
    """Write rows of panels; None leaves a place empty."""
    columns = max(len(row) for row in rows)
    width, height = PANEL_PX
    full_height = height + CAPTION_PX
    size = (columns * width + (columns - 1) * GAP_PX, len(rows) * full_height + (len(rows) - 1) * GAP_PX)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(17)
    for row, panels in enumerate(rows):
        for column, panel in enumerate(panels):
            if panel is None:
                continue
            image, text, ink = panel
            x, y = column * (width + GAP_PX), row * (full_height + GAP_PX)
            sheet.paste(Image.fromarray(image), (x, y))
            pen.rectangle((x, y + height, x + width - 1, y + height + 4), fill=ink)
            pen.multiline_text((x + 2, y + height + 9), textwrap.fill(text, 52), fill=INK, font=font, spacing=2)
    sheet.save(path, quality=JPEG_QUALITY, optimize=True)


def _twin_picture(capture: Capture, eye: Array) -> Array:
    return picture(visual_meshes(twin_of(capture)), eye, light=PORTRAIT, background=NO_PHOTO)


def _path_from_above(capture: Capture, coverage: Coverage, *, bad: bool) -> Array:
    """Return the desk from above with the camera's places, and in red the arc on which it never was."""
    world = desk(walls=False)
    meshes = [body.world_mesh for body in world.bodies] + [mesh for name, mesh in world.structures if name == "table"]
    width, height = PANEL_PX[0] * SUPERSAMPLES, PANEL_PX[1] * SUPERSAMPLES
    focal = height * 8.0 / 2.9
    camera = Intrinsics(width=width, height=height, fx=focal, fy=focal, cx=(width - 1) / 2, cy=(height - 1) / 2)
    pose = look_at(np.array([0.0, -0.001, DESK_M[2] + 8.0]), np.array(DESK_M))
    image = Image.fromarray(shade(render(meshes, camera, pose), meshes, background=NO_PHOTO))
    image = Image.blend(image, Image.new("RGB", image.size, "white"), 0.25)
    pen = ImageDraw.Draw(image)

    def pixels(points: Array) -> list[tuple[float, float]]:
        return [(float(u), float(v)) for u, v in pixels_of(points, pose, camera)]

    centers = np.stack([frame.world_from_camera[:3, 3] for frame in capture.frames])
    offsets = centers[:, :2] - coverage.center[:2]
    radius_m = float(np.median(np.linalg.norm(offsets, axis=1)))
    cross = pixels(np.append(coverage.center[:2], centers[:, 2].mean())[None])[0]
    arm = 6 * SUPERSAMPLES
    for end in ((arm, 0), (0, arm)):
        line = [(cross[0] - end[0], cross[1] - end[1]), (cross[0] + end[0], cross[1] + end[1])]
        pen.line(line, fill=INK, width=2 * SUPERSAMPLES)
    if bad:
        start, stop = _largest_gap(np.arctan2(offsets[:, 1], offsets[:, 0]))
        turn = np.linspace(start, stop, 120)
        circle = coverage.center[:2] + radius_m * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        arc = np.column_stack([circle, np.full(len(turn), centers[:, 2].mean())])
        pen.line(pixels(arc), fill=RED, width=5 * SUPERSAMPLES, joint="curve")
    for frame, place in zip(capture.frames[::2], pixels(centers[::2]), strict=True):
        tip = pixels((frame.world_from_camera[:3, 3] + 0.09 * frame.world_from_camera[:3, 2])[None])[0]
        pen.line([place, tip], fill=BLUE, width=2 * SUPERSAMPLES)
        reach = 3.2 * SUPERSAMPLES
        pen.ellipse((place[0] - reach, place[1] - reach, place[0] + reach, place[1] + reach), fill=BLUE)
    outward = 1.25 * (centers[0] - np.append(coverage.center[:2], centers[0, 2]))
    beside = pixels((np.append(coverage.center[:2], centers[0, 2]) + outward)[None])[0]
    pen.text(beside, "start", fill=BLUE, font=ImageFont.load_default(17 * SUPERSAMPLES), anchor="mm")
    return _smaller(np.asarray(image))


def _largest_gap(azimuths: Array) -> tuple[float, float]:
    """Return where the largest gap between azimuths [n] begins and ends [rad]."""
    ordered = np.sort(np.mod(azimuths, 2.0 * np.pi))
    following = np.append(ordered[1:], ordered[0] + 2.0 * np.pi)
    widest = int(np.argmax(following - ordered))
    return float(ordered[widest]), float(following[widest])


def _depth_samples(frame: Frame, mug: Mesh) -> Panel:
    """Return the part of a photo around a mug with its depth samples, coloured by confidence."""
    image = frame.color()
    assert image is not None
    assert frame.color_camera is not None
    corners = pixels_of(mug.vertices, frame.world_from_camera, frame.color_camera)
    low, high = np.nanmin(corners, axis=0), np.nanmax(corners, axis=0)
    middle, half = 0.5 * (low + high), 0.62 * max(float((high - low)[0]) * 0.75, float((high - low)[1]))
    half = min(half, 0.5 * image.shape[0])
    wide = half * PANEL_PX[0] / PANEL_PX[1]
    left = float(np.clip(middle[0] - wide, 0.0, image.shape[1] - 2 * wide))
    top = float(np.clip(middle[1] - half, 0.0, image.shape[0] - 2 * half))
    box = (left, top, left + 2 * wide, top + 2 * half)
    panel = Image.fromarray(image).resize(PANEL_PX, Image.Resampling.BICUBIC, box=box)
    pen = ImageDraw.Draw(panel)
    ratio = frame.color_camera.width / frame.depth_camera.width
    inside = pixels_of(mug.vertices, frame.world_from_camera, frame.depth_camera)
    first, last = np.nanmin(inside, axis=0), np.nanmax(inside, axis=0)
    count = 0
    for v, u in np.argwhere(frame.depth_m > 0.0):
        x, y = ((u + 0.5) * ratio - 0.5 - left) / (2 * wide), ((v + 0.5) * ratio - 0.5 - top) / (2 * half)
        if 0.0 <= x < 1.0 and 0.0 <= y < 1.0:
            level = int(frame.confidence[v, u])
            place = (x * PANEL_PX[0], y * PANEL_PX[1])
            reach = 1.6
            pen.ellipse(
                (place[0] - reach, place[1] - reach, place[0] + reach, place[1] + reach),
                fill=(RED, ORANGE, GREEN)[level],
            )
        count += bool(first[0] <= u <= last[0] and first[1] <= v <= last[1])
    return np.asarray(panel), f"Depth samples around the mug: {count}.", INK


def _tag_mesh(number: int, *, bend_rad: float = 0.0) -> Mesh:
    """Return a printed tag with its white rim, flat or bent around a cylinder by an angle over its width."""
    side_px, rim_px, steps = 320, 80, 24
    image = np.pad(draw_tag(number, side_px), rim_px, constant_values=250)
    width_m = TAG_SIDE_M * (side_px + 2 * rim_px) / side_px
    along = np.linspace(-0.5, 0.5, steps + 1)
    x, z = width_m * along, np.zeros(steps + 1)
    if bend_rad:
        radius_m = width_m / bend_rad
        x, z = radius_m * np.sin(bend_rad * along), radius_m * (1.0 - np.cos(bend_rad * along))
    y = 0.5 * width_m
    vertices = np.concatenate([np.stack([x, np.full_like(x, side), z + 0.001], axis=1) for side in (-y, y)])
    uv = np.concatenate([np.stack([along + 0.5, np.full_like(x, v)], axis=1) for v in (0.0, 1.0)])
    first = np.arange(steps)
    faces = np.concatenate(
        [
            np.stack([first, first + 1, first + steps + 2], axis=1),
            np.stack([first, first + steps + 2, first + steps + 1], axis=1),
        ]
    )
    return Mesh(vertices=vertices, faces=faces.astype(np.int32), uv=uv, texture=np.repeat(image[..., None], 3, axis=2))


def _on_table(x: float, y: float, yaw_rad: float) -> Array:
    return rigid(rotation_about(np.array([0.0, 0.0, 1.0]), yaw_rad), np.array([x, y, TABLE_HEIGHT_M]))


def _tag_panel(capture: Capture, spots: dict[int, tuple[float, float, float]], *, careful: bool) -> Panel:
    """Return a photo in which the measured sides of every tag are written at it."""
    measured = tag_corners(capture)
    frame = capture.frames[len(capture.frames) // 2]
    image = frame.color()
    assert image is not None
    assert frame.color_camera is not None
    ratio = PANEL_PX[0] * SUPERSAMPLES / image.shape[1]
    panel = Image.fromarray(image).resize((PANEL_PX[0] * SUPERSAMPLES, PANEL_PX[1] * SUPERSAMPLES))
    pen, font = ImageDraw.Draw(panel), ImageFont.load_default(15 * SUPERSAMPLES)
    for number, (x, y, _) in spots.items():
        corners = measured.get(number)
        text, ink = "not found", RED
        if corners is not None:
            sides_mm = 1000.0 * np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
            first_mm, second_mm = float(sides_mm[::2].mean()), float(sides_mm[1::2].mean())
            is_good = abs(first_mm - 1000.0 * TAG_SIDE_M) < 0.6 and abs(second_mm - 1000.0 * TAG_SIDE_M) < 0.6
            text, ink = f"{first_mm:.1f} / {second_mm:.1f}", GREEN if is_good else RED
            outline = ratio * pixels_of(corners, frame.world_from_camera, frame.color_camera)
            ring = [(float(u), float(v)) for u, v in np.concatenate([outline, outline[:1]])]
            pen.line(ring, fill=ink, width=2 * SUPERSAMPLES)
        place = pixels_of(np.array([[x, y, TABLE_HEIGHT_M]]), frame.world_from_camera, frame.color_camera)
        u, v = (float(value) for value in ratio * place[0])
        pen.text(
            (u, v + LABEL_DROP_PX * SUPERSAMPLES),
            text,
            fill="white",
            font=font,
            anchor="mm",
            stroke_width=3 * SUPERSAMPLES,
            stroke_fill=ink,
        )
    good = "Good: tags of 60 mm lie flat and free around the objects. Their measured sides in mm."
    bad = "Bad: two tags are bent and measure short, two lie partly under objects and are not found."
    return _smaller(np.asarray(panel)), good if careful else bad, GREEN if careful else RED


def _smaller(image: Array) -> Array:
    """Return the mean of each block of `SUPERSAMPLES` pixels, uint8 [h, w, 3]."""
    height, width = image.shape[0] // SUPERSAMPLES, image.shape[1] // SUPERSAMPLES
    blocks = image.reshape(height, SUPERSAMPLES, width, SUPERSAMPLES, 3)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


PICTURES: Final[dict[str, Callable[[Path], None]]] = {
    "camera_path": camera_path,
    "far_side": backs,
    "height": heights,
    "distance": distances,
    "tags": tags,
}

SCRATCH = tempfile.TemporaryDirectory(prefix="cousins-pictures-")

if __name__ == "__main__":
    chosen = sys.argv[2:] or list(PICTURES)
    with SCRATCH:
        for chosen_name in chosen:
            PICTURES[chosen_name](Path(sys.argv[1]))
