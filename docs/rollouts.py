"""Make the README's picture of rollouts from a film by `cousins film`: how its episodes begin, and how they end.

python docs/rollouts.py film.mp4 docs/rollouts.jpg
"""

from __future__ import annotations

import sys

import av
import numpy as np
from PIL import Image

film, target = sys.argv[1:]
with av.open(film) as video:
    frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
Image.fromarray(np.concatenate([frames[0], frames[-1]], axis=1)).save(target, quality=88, optimize=True)
