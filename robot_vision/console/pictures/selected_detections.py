"""Detections in one picture, as rows and drawn on it."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.console.analysis_schema import Detected
from robot_vision.console.schema import Task
from robot_vision.core.interfaces import Perceiver
from robot_vision.core.results.objects import class_name
from robot_vision.core.results.shapes import shapes_of
from robot_vision.core.types import Depth, Frame, Percept, Perception, Tracks, TrackState
from robot_vision.viz.outlines import outlines_px
from robot_vision.viz.overlay import draw_overlay
from robot_vision.viz.palette import color_of

_MASK_SHARE = 0.4


def detected(
    frame: Frame, percept: Percept, class_names: tuple[str, ...], *, outlines: bool
) -> list[Detected]:
    """The detections of a picture; with the polygons of their masks if `outlines`."""
    height_px, width_px = frame.rgb.shape[:2]
    found, mask = percept.detections, percept.detections.mask
    shapes = shapes_of(found)
    return [
        Detected.model_validate(
            {
                "class": class_name(class_names, int(found.class_id[row])),
                "score": round(float(found.score[row]), 4),
                "box_xyxy_px": [round(v, 2) for v in found.box_xyxy_px[row].tolist()],
                "distance_m": _distance_m(frame, percept, row),
                "outline_px": outlines_px(mask[row], width_px=width_px, height_px=height_px)
                if outlines and mask is not None
                else None,
                **shapes[row],
            }
        )
        for row in range(len(found))
    ]


def overlay(
    frame: Frame, percept: Percept, perceiver: Perceiver, tasks: Sequence[Task]
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with boxes, numbered by score; everything else only if requested."""
    rgb = _with_masks(frame.rgb, percept) if "masks" in tasks else frame.rgb
    return draw_overlay(
        Perception(
            stamp_ns=frame.stamp_ns,
            frame=Frame(stamp_ns=frame.stamp_ns, frame_id=frame.frame_id, rgb=rgb),
            detections=percept.detections,
            depth=percept.depth if "depth" in tasks else None,
            features=None,
            lifted=None,
            tracks=_as_tracks(percept),
            class_names=perceiver.class_names,
            model_id=perceiver.model_id,
            stage_s={},
            classification=percept.classification if "classification" in tasks else None,
            segmentation=percept.segmentation if "segmentation" in tasks else None,
        )
    )


def _with_masks(rgb: UInt8[np.ndarray, "h w 3"], percept: Percept) -> UInt8[np.ndarray, "h w 3"]:
    drawn, masks = rgb.copy(), percept.detections.mask
    size = (rgb.shape[1], rgb.shape[0])
    for row, mask in enumerate(masks if masks is not None else ()):
        grid = mask.astype(np.uint8)
        inside = cv2.resize(grid, size, interpolation=cv2.INTER_NEAREST) > 0
        tint = np.array(color_of(row + 1), np.float32)
        drawn[inside] = (1 - _MASK_SHARE) * drawn[inside] + _MASK_SHARE * tint
    return drawn


def _as_tracks(percept: Percept) -> Tracks:
    """Detections as objects seen once, numbered from 1: what the overlay draws."""
    found = percept.detections
    count = len(found)
    unknown = np.full((count, 3), np.nan, np.float32)
    uncertain = np.full((count, 3, 3), np.nan, np.float32)
    return Tracks(
        stamp_ns=found.stamp_ns,
        track_id=np.arange(1, count + 1),
        state=np.full(count, TrackState.CONFIRMED, np.int64),
        box_xyxy_px=found.box_xyxy_px,
        score=found.score,
        class_id=found.class_id,
        position_in_camera_m=unknown,
        position_covariance_m2=uncertain,
        velocity_in_camera_mps=unknown,
        velocity_covariance_m2ps2=uncertain,
        size_m=unknown,
        age_s=np.zeros(count, np.float32),
        unseen_s=np.zeros(count, np.float32),
        detection_index=np.arange(count),
    )


def _distance_m(frame: Frame, percept: Percept, row: int) -> float | None:
    """The median depth in the central part of a box."""
    if percept.depth is None:
        return None
    values = _middle(percept.depth, frame, percept.detections.box_xyxy_px[row])
    known = values[np.isfinite(values)]
    return round(float(np.median(known)), 3) if known.size else None


def _middle(depth: Depth, frame: Frame, box_px: np.ndarray) -> np.ndarray:
    height, width = depth.depth_m.shape
    scale = np.array([width / frame.rgb.shape[1], height / frame.rgb.shape[0]] * 2)
    left, top, right, bottom = box_px * scale
    inset_x, inset_y = (right - left) / 4, (bottom - top) / 4
    columns = slice(max(0, int(left + inset_x)), max(0, int(np.ceil(right - inset_x))) or 1)
    rows = slice(max(0, int(top + inset_y)), max(0, int(np.ceil(bottom - inset_y))) or 1)
    return depth.depth_m[rows, columns]
