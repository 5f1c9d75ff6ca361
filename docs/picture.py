"""Make the README's picture from a scene's report: a photo, its segments, and the twin from the same camera.

python docs/picture.py out/demo/report.html docs/scan_to_twin.png [VIEW]
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

from PIL import Image

from flows.reporting.report import pictures_of

GAP_PX = 8
WIDTH_PX = 480

report, target = Path(sys.argv[1]), Path(sys.argv[2])
view = sys.argv[3] if len(sys.argv) > 3 else "0"
images, _, _ = pictures_of(report.read_text(encoding="utf-8"))
panels = []
for kind in ("photo", "segments", "twin"):
    data = base64.b64decode(images[f"{kind}_{view}"].partition(",")[2])
    image = Image.open(io.BytesIO(data))
    panels.append(image.resize((WIDTH_PX, round(WIDTH_PX * image.height / image.width)), Image.Resampling.LANCZOS))
strip = Image.new("RGB", (3 * WIDTH_PX + 2 * GAP_PX, panels[0].height), "white")
for number, image in enumerate(panels):
    strip.paste(image, (number * (WIDTH_PX + GAP_PX), 0))
strip.save(target, optimize=True)
