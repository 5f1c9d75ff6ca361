"""`cousins scan CAPTURE -o SCENE`."""

from __future__ import annotations

import argparse
from typing import Any

from cousins.scale.distance import parse_distance
from flows.execution.executor import Options
from flows.execution.progress import told_stages
from flows.pipeline.backend_choice import choices, faces, layout
from flows.pipeline.run_scan import Order, scan
from flows.reporting.formatting import told_scan as told

__all__ = ["run", "told"]


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Scan; the exit code is 0 also where a gate fails, which the result says."""
    for text in arguments.scale_distance:
        parse_distance(text)
    order = Order(
        source=arguments.capture,
        output=arguments.output,
        options=Options(
            seed=arguments.seed,
            **choices(arguments.segmenter, arguments.names),
            format=arguments.format,
            up=arguments.up,
            tag_size_m=None if arguments.tag_size is None else arguments.tag_size / 1000.0,
            **faces(arguments.blur_faces),
            name=arguments.name,
            scale_distances=tuple(arguments.scale_distance),
            **layout(arguments.scale_room),
        ),
        runner=arguments.runner,
        force=arguments.force,
    )
    with told_stages() as tell:
        return scan(order, tell=tell), 0
