"""One hash over the pipeline's entire output, bit for bit."""

from hashlib import sha256

import numpy as np

from robot_vision.core.types import Perception, Tracks

DEPTH_STEP = 4


class Digest:
    """SHA-256 over all results, with depth sampled.

    It covers stamps, detections in 2-D (with keypoints and oriented boxes) and 3-D, tracks,
    embeddings, detections of prompts, and the classes of whole frames and of their pixels.

    It hashes exact bytes, so it is equal for two runs of the same code, model, bag, thread count
    and kind of processor (ONNX Runtime picks its kernels by instruction set). It does not show how
    much two runs differ; the golden file does.
    """

    def __init__(self) -> None:
        self._hash = sha256()

    def add(self, perception: Perception) -> None:
        self._take(np.array([perception.stamp_ns], np.int64))
        detections = perception.detections
        for rows in (detections.box_xyxy_px, detections.score, detections.class_id):
            self._take(rows)
        for shapes in (detections.keypoint, detections.oriented_box):
            if shapes is not None:
                self._take(shapes)
        if perception.lifted is not None:
            self._take(perception.lifted.position_in_camera_m)
        self._add_tracks(perception.tracks)
        if perception.features is not None:
            self._take(perception.features.embedding)
        if perception.depth is not None:
            self._take(perception.depth.depth_m[::DEPTH_STEP, ::DEPTH_STEP])

        if perception.grounding is not None:
            found = perception.grounding.found.detections
            for rows in (found.box_xyxy_px, found.score, found.class_id):
                self._take(rows)
            self._add_tracks(perception.grounding.tracks)
        if perception.classification is not None:
            self._take(perception.classification.class_id)
            self._take(perception.classification.probability)
        if perception.segmentation is not None:
            self._take(perception.segmentation.class_id)

    def hex(self) -> str:
        return self._hash.hexdigest()

    def _add_tracks(self, tracks: Tracks) -> None:
        for rows in (
            tracks.track_id,
            tracks.state,
            tracks.class_id,
            tracks.box_xyxy_px,
            tracks.score,
            tracks.position_in_camera_m,
            tracks.velocity_in_camera_mps,
            tracks.size_m,
            tracks.unseen_s,
        ):
            self._take(rows)

    def _take(self, values: np.ndarray) -> None:
        if values.dtype.kind == "f":  # NaNs have many bit patterns, and −0 equals 0
            values = np.where(np.isnan(values), values.dtype.type(np.nan), values + 0)
        self._hash.update(f"{values.dtype.str}{values.shape}".encode())
        self._hash.update(np.ascontiguousarray(values).tobytes())
