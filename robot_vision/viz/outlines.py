"""Masks as polygons: a tenth of the bytes, drawn by the browser."""

import cv2
import numpy as np
from jaxtyping import Bool

Polygon = list[tuple[float, float]]


def outlines_px(mask: Bool[np.ndarray, "h w"], *, width_px: int, height_px: int) -> list[Polygon]:
    """Outer polygons of a mask on a grid that covers an image of `width_px` × `height_px`."""
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    # A contour runs through the centres of the cells at the edge.
    scale = np.array([width_px / mask.shape[1], height_px / mask.shape[0]])
    polygons = ((contour[:, 0].astype(float) + 0.5) * scale - 0.5 for contour in contours)
    return [
        [(round(x, 1), round(y, 1)) for x, y in polygon.tolist()]
        for polygon in polygons
        if len(polygon) >= 3
    ]
