"""A frame before, or without, any model."""

import numpy as np

from robot_vision.core.types import Frame, Perception, Tracks, no_detections


def unperceived(frame: Frame) -> Perception:
    """A frame that no model has processed: its stamp and pixels, without any results."""
    none = np.zeros(0, np.int64)
    rows = {width: np.zeros((0, width), np.float32) for width in (3, 4)}
    squares, column = np.zeros((0, 3, 3), np.float32), np.zeros(0, np.float32)
    tracks = Tracks(
        stamp_ns=frame.stamp_ns,
        track_id=none,
        state=none,
        box_xyxy_px=rows[4],
        score=column,
        class_id=none,
        position_in_camera_m=rows[3],
        position_covariance_m2=squares,
        velocity_in_camera_mps=rows[3],
        velocity_covariance_m2ps2=squares,
        size_m=rows[3],
        age_s=column,
        unseen_s=column,
        detection_index=none,
    )
    return Perception(
        stamp_ns=frame.stamp_ns,
        frame=frame,
        detections=no_detections(frame.stamp_ns),
        depth=None,
        features=None,
        lifted=None,
        tracks=tracks,
        class_names=(),
        model_id="",
        stage_s={},
    )
