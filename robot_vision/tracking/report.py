"""Reports the table of tracks to the rest of the service: in the camera frame, in 32 bits."""

import numpy as np
from jaxtyping import Float, Float32

from robot_vision.core.boxes import cxcywh_to_xyxy
from robot_vision.core.cameras.geometry import invert_transform
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.types import TrackEvent, Tracks
from robot_vision.tracking.evidence.borders import within_image
from robot_vision.tracking.kalman import transform_points
from robot_vision.tracking.table import TrackTable, points_of

LARGEST = float(np.finfo(np.float32).max)


def report_tracks(
    table: TrackTable,
    *,
    stamp_ns: int,
    fixed_from_camera: Float[np.ndarray, "4 4"],
    epoch: int,
    events: tuple[TrackEvent, ...],
    image_size_px: tuple[int, int] | None,
) -> Tracks:
    """The tracks at `stamp_ns`, copied because the table keeps changing.

    Boxes end at the border of the image where its size is known; boxes of objects that left it
    lie beyond.
    """
    point = transform_points(points_of(table["point"]), invert_transform(fixed_from_camera))
    mean, covariance = _float32(point.mean), _float32(point.covariance)
    return Tracks(
        stamp_ns=stamp_ns,
        track_id=table["track_id"].copy(),
        state=table["state"].copy(),
        box_xyxy_px=_float32(
            within_image(cxcywh_to_xyxy(table["box"]["position"]), image_size_px)
        ),
        score=table["score"].astype(np.float32),
        class_id=table["class_id"].copy(),
        position_in_camera_m=mean[:, :3],
        position_covariance_m2=covariance[:, :3, :3],
        velocity_in_camera_mps=mean[:, 3:],
        velocity_covariance_m2ps2=covariance[:, 3:, 3:],
        size_m=table["size_m"].astype(np.float32),
        age_s=((stamp_ns - table["born_ns"]) / NS_PER_S).astype(np.float32),
        unseen_s=((stamp_ns - table["seen_ns"]) / NS_PER_S).astype(np.float32),
        detection_index=table["detection_index"].copy(),
        epoch=epoch,
        events=events,
    )


def _float32(values: Float[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    return np.minimum(np.maximum(values, -LARGEST), LARGEST).astype(np.float32)
