"""A small COCO set of coloured shapes, made without a simulator."""

import json
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

WIDTH_PX, HEIGHT_PX = 128, 96
NAMES = ("disc", "slab")
COLORS = {"red": (220, 40, 40), "blue": (40, 60, 220)}


def write_shapes_set(root: Path, *, images: int, boxes_only: bool = False) -> Path:
    """Discs and slabs nearer than a flat background; with depth and masks unless `boxes_only`."""
    rng = np.random.default_rng(7)
    for folder in ("rgb", "depth", "depth_true"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    image_rows, annotation_rows = [], []
    for number in range(images):
        rgb = np.full((HEIGHT_PX, WIDTH_PX, 3), rng.integers(90, 160), np.uint8)
        depth_mm = np.full((HEIGHT_PX, WIDTH_PX), 1500, np.uint16)
        for x in (rng.integers(24, 44), rng.integers(80, 104)):
            color = str(rng.choice(list(COLORS)))
            name_row = int(rng.integers(2))
            seen = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
            center = (int(x), int(rng.integers(30, 66)))
            if name_row == 0:
                cv2.circle(seen, center, 14, 1, -1)
            else:
                low, high = (center[0] - 18, center[1] - 9), (center[0] + 18, center[1] + 9)
                cv2.rectangle(seen, low, high, 1, -1)
            rgb[seen > 0] = COLORS[color]
            depth_mm[seen > 0] = 900
            annotation_rows.append(
                _annotation(len(annotation_rows), number, name_row, color, seen, boxes_only)
            )
        image_rows.append(_write_image(root, number, rgb, depth_mm, boxes_only))
    content: dict[str, object] = {
        "images": image_rows,
        "annotations": annotation_rows,
        "categories": [{"id": 3 + 2 * i, "name": name} for i, name in enumerate(NAMES)],
    }
    if not boxes_only:
        content["captions"] = [
            c for image in image_rows for c in _captions(image, annotation_rows)
        ]
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def _captions(image: dict[str, object], rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """One of the whole picture, as generated scenes have it, and one of each thing."""
    own = [row for row in rows if row["image_id"] == image["id"]]
    looks = [(str(row["color"]), NAMES[(int(str(row["category_id"])) - 3) // 2]) for row in own]
    whole = " and ".join(f"a {color} {name}" for color, name in looks)
    named = [[color, name, 1] for color, name in looks]
    wrong = {
        "wrong_color": "a green disc and a green slab",
        "wrong_thing": "a red ball and a blue ball",
    }
    first: dict[str, object] = {"image_id": image["id"], "caption": whole, "kind": "list"}
    return [
        {**first, "named": named, **wrong},
        *(
            {
                "image_id": image["id"],
                "annotation_id": row["id"],
                "caption": f"a {color} {name}",
                "kind": "thing",
                "named": [[color, name, 1]],
            }
            for row, (color, name) in zip(own, looks, strict=True)
        ),
    ]


def _annotation(
    index: int, number: int, name_row: int, color: str, seen: np.ndarray, boxes_only: bool
) -> dict[str, object]:
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    box = [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]
    row: dict[str, object] = {
        "id": index + 1,
        "image_id": number + 1,
        "category_id": 3 + 2 * name_row,
        "bbox": box,
    }
    if not boxes_only:
        encoded = coco_mask.encode(np.asfortranarray(seen))
        counts = encoded["counts"].decode()
        row |= {"color": color, "segmentation": {"size": encoded["size"], "counts": counts}}
    return row


def _write_image(
    root: Path, number: int, rgb: np.ndarray, depth_mm: np.ndarray, boxes_only: bool
) -> dict[str, object]:
    name = f"rgb/{number:06d}.png"
    cv2.imwrite(str(root / name), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    row: dict[str, object] = {
        "id": number + 1,
        "file_name": name,
        "width": WIDTH_PX,
        "height": HEIGHT_PX,
    }
    if not boxes_only:
        for kind in ("depth", "depth_true"):
            cv2.imwrite(str(root / kind / f"{number:06d}.png"), depth_mm)
            row[f"{kind}_file"] = f"{kind}/{number:06d}.png"
    return row
