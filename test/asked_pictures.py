"""A tiny set of pictures whose truth is known: flat things on a table, as COCO annotations."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

NAMES = ("ball", "block", "mug")
COLORS = {"red": (210, 30, 30), "green": (40, 160, 60), "blue": (40, 70, 200)}
# Pictures as things: name, color, how much of it is in view.
SCENES: tuple[tuple[tuple[str, str, float], ...], ...] = (
    (("ball", "red", 1.0), ("ball", "blue", 1.0), ("mug", "green", 1.0)),
    (("block", "blue", 1.0), ("mug", "red", 0.2)),
    (("ball", "green", 1.0),),
    (),
)


def write_asked_set(folder: Path) -> Path:
    """Write the set; returns its folder."""
    (folder / "rgb").mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, things in enumerate(SCENES):
        rgb = np.full((120, 160, 3), 120, np.uint8)
        for row, (name, color, share) in enumerate(things):
            left, top, size = 10 + 50 * row, 40, 36 - 4 * row
            rgb[top : top + size, left : left + size] = COLORS[color]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number + 1,
                    "category_id": NAMES.index(name) + 1,
                    "bbox": [left, top, size, size],
                    "area": size * size,
                    "iscrowd": 0,
                    "color": color,
                    "visible_share": share,
                }
            )
        name = f"rgb/{number:06d}.png"
        cv2.imwrite(str(folder / name), rgb[..., ::-1])
        images.append({"id": number + 1, "file_name": name, "width": 160, "height": 120})
    content = {
        "info": {"colors": list(COLORS)},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(NAMES)],
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder
