"""Draw preview.png: the badge and the head of a job's summary."""

from pathlib import Path

from PIL import Image, ImageDraw

LINES = (
    ("desk failed: 1 regressed, 2 pass", "#c62828"),
    ("state      test          pairs       lost  gained", "#555555"),
    ("regressed  push-mujoco   57 of 240    11       1", "#222222"),
    ("pass       lift-mujoco  240 of 240     3       4", "#222222"),
    ("pass       gates-mujoco", "#222222"),
)
"""Text and colour of each line."""


def main() -> None:
    """Write the picture beside this file."""
    picture = Image.new("RGB", (420, 130), "white")
    draw = ImageDraw.Draw(picture)
    for number, (text, color) in enumerate(LINES):
        draw.text((12, 12 + 22 * number), text, fill=color)
    picture.save(Path(__file__).with_name("preview.png"), optimize=True)


if __name__ == "__main__":
    main()
