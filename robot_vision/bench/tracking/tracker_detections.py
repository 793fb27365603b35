"""A detector's view of a scene: noise, misses under occlusion, false alarms, depth and
appearance."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.bench.models.detector_model import DetectorModel
from robot_vision.bench.tracking.merged_boxes import merged_boxes
from robot_vision.bench.tracking.scene import Scene
from robot_vision.bench.tracking.tracker_sequences import Sequence, Truth
from robot_vision.bench.tracking.view import View, clip, view_of
from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.cameras.geometry import invert_transform
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.types import Detections, Lifted, Measurements

APPEARANCE_SIZE = 32


MISS_SPREAD = 1.5
MERGE_SPREAD = 0.05
CLUTTER_SPOTS = 20
DEPTH_RANGE_M = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    box_xyxy_px: Float[np.ndarray, "n 4"]
    score: Float[np.ndarray, " n"]
    position_m: Float[np.ndarray, "n 3"]
    appearance: Float[np.ndarray, "n d"]


def detect(scene: Scene, *, model: DetectorModel, seed: int) -> Sequence:
    """Run a detector model over a scene; the first stamp is 1 s."""
    rng = np.random.default_rng([seed, 99])
    detector = _Detector(scene, model=model, rng=rng)
    measurements, truths = [], []
    for k in range(len(scene.position_m)):
        view = view_of(scene, k)
        wanted = scene.reported & view.in_view & (view.visible >= model.least_visible)
        camera_from_fixed = invert_transform(scene.fixed_from_camera[k])
        truths.append(
            Truth(
                object_id=np.flatnonzero(wanted),
                box_xyxy_px=view.box_xyxy_px[wanted],
                position_in_camera_m=view.position_m[wanted],
                velocity_in_camera_mps=scene.velocity_mps[k, wanted] @ camera_from_fixed[:3, :3].T,
            )
        )
        stamp_ns = NS_PER_S + round(k / scene.frame_rate_hz * NS_PER_S)
        found = detector.look(view)
        measurements.append(_measurements(found, scene, k, stamp_ns=stamp_ns))
    return Sequence(
        name=scene.name,
        frame_rate_hz=scene.frame_rate_hz,
        measurements=tuple(measurements),
        truths=tuple(truths),
    )


def depth_noise_m(depth_m: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Standard deviation of an object's depth: grows with distance squared, as in stereo."""
    return 0.002 + 0.002 * depth_m**2


def position_covariance_m2(
    position_m: Float[np.ndarray, "n 3"], *, focal_px: float
) -> Float[np.ndarray, "n 3 3"]:
    """Covariance of lifted positions: depth along the ray, 1.5 px across it."""
    depth = np.maximum(position_m[:, 2], 0.05)
    ray = position_m / depth[:, None]
    across = np.zeros((len(position_m), 3, 3))
    across[:, [0, 1], [0, 1]] = ((1.5 / focal_px * depth) ** 2)[:, None]
    across[:, 2, 2] = 1e-8
    along = ray[:, :, None] * ray[:, None, :]
    return across + depth_noise_m(depth)[:, None, None] ** 2 * along


class _Detector:
    """Persistent errors: the state of a detector's mistakes between frames."""

    def __init__(self, scene: Scene, *, model: DetectorModel, rng: np.random.Generator) -> None:
        n = len(scene.size_m)
        self._scene, self._model, self._rng = scene, model, rng
        self._dt_s = 1 / scene.frame_rate_hz
        self._error = rng.normal(size=(n, 6))
        common = 1.5 * _unit(rng.normal(size=(1, APPEARANCE_SIZE)))
        looks = _unit(rng.normal(size=(int(scene.look.max()) + 1, APPEARANCE_SIZE)))
        self._looks = _unit(common + looks)[scene.look]
        self._background = _unit(common + _unit(rng.normal(size=(1, APPEARANCE_SIZE))))
        self._clutter_on = np.zeros(CLUTTER_SPOTS, bool)
        self._clutter_box = np.zeros((CLUTTER_SPOTS, 4))

    def look(self, view: View) -> _Found:
        """Detected objects, duplicates, and false alarms."""
        model, rng = self._model, self._rng
        keep = np.exp(-self._dt_s / model.memory_s)
        self._error = keep * self._error + np.sqrt(1 - keep**2) * rng.normal(
            size=self._error.shape
        )
        strength = model.miss_bias + 10 * np.minimum(view.visible - 0.7, 0)
        strength = strength + MISS_SPREAD * self._error[:, 4]
        found = np.flatnonzero(
            self._scene.reported
            & view.in_view
            & (strength > model.faintest)
            & (view.visible > 0.02)
        )
        objects = self._objects(view, found, strength)
        if model.merge_iou < 1:
            objects = self._merged(view, found, objects)
        return _join(
            objects,
            self._doubles(view, found, strength),
            self._false_alarms(view),
        )

    def _objects(self, view: View, found: np.ndarray, strength: np.ndarray) -> _Found:
        model, rng = self._model, self._rng
        score_logit = strength[found] + model.score_noise * self._error[found, 5]
        score_logit = model.score_gain * score_logit
        half = (view.box_xyxy_px[found] + view.seen_box_xyxy_px[found]) / 2
        position = view.position_m[found]
        covariance = position_covariance_m2(position, focal_px=self._scene.camera.fx_px)
        noise = np.linalg.cholesky(covariance) @ rng.normal(size=(len(found), 3, 1))
        hidden = (1 - view.visible[found])[:, None]
        blur = 0.3 * _unit(rng.normal(size=(len(found), APPEARANCE_SIZE)))
        look = (1 - hidden) * self._looks[found] + hidden * self._background + blur
        return _Found(
            box_xyxy_px=self._jitter(half, self._error[found, :4] * model.edge_noise),
            score=_sigmoid(score_logit),
            position_m=position + noise[..., 0],
            appearance=_unit(look),
        )

    def _merged(self, view: View, found: np.ndarray, objects: _Found) -> _Found:
        """Merge objects that the detector cannot separate: the nearer one's box, extended over
        the other."""
        boxes, kept = merged_boxes(
            objects.box_xyxy_px,
            overlap=pairwise_iou(view.box_xyxy_px[found], view.box_xyxy_px[found]),
            depth_m=view.position_m[found, 2],
            merge_iou=self._model.merge_iou + MERGE_SPREAD * self._error[found, 4],
            share=np.clip(0.4 + 0.3 * self._error[found, 5], 0.0, 1.0),
        )
        return _Found(
            box_xyxy_px=boxes[kept],
            score=objects.score[kept],
            position_m=objects.position_m[kept],
            appearance=objects.appearance[kept],
        )

    def _doubles(self, view: View, found: np.ndarray, strength: np.ndarray) -> _Found:
        rng = self._rng
        twice = found[rng.random(len(found)) < self._model.duplicate_share]
        double = self._objects(view, twice, strength - 1.5)
        noise = rng.normal(size=(len(twice), 4)) * 0.15
        return _Found(
            box_xyxy_px=self._jitter(double.box_xyxy_px, noise),
            score=double.score,
            position_m=double.position_m,
            appearance=double.appearance,
        )

    def _false_alarms(self, view: View) -> _Found:
        rng, camera = self._rng, self._scene.camera
        model = self._model
        share = model.false_alarms_per_frame / CLUTTER_SPOTS
        fades = rng.random(CLUTTER_SPOTS) < 1 - np.exp(-self._dt_s / model.clutter_s)
        begins = fades & (rng.random(CLUTTER_SPOTS) < share)
        self._clutter_on = (self._clutter_on & ~fades) | begins
        size = np.abs(view.box_xyxy_px[:, 2:] - view.box_xyxy_px[:, :2])
        size = rng.choice(size, CLUTTER_SPOTS) * rng.uniform(0.6, 1.6, (CLUTTER_SPOTS, 1)) + 4
        centre = rng.uniform(0, [camera.width_px, camera.height_px], (CLUTTER_SPOTS, 2))
        fresh = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
        self._clutter_box = np.where(begins[:, None], fresh, self._clutter_box)
        boxes = self._clutter_box[self._clutter_on]
        n = len(boxes)
        look = self._background + 0.5 * _unit(rng.normal(size=(n, APPEARANCE_SIZE)))
        return _Found(
            box_xyxy_px=self._jitter(boxes, rng.normal(size=(n, 4)) * self._model.edge_noise),
            score=_sigmoid(rng.normal(-0.8, 1.0, n)),
            position_m=np.full((n, 3), np.nan),
            appearance=_unit(look),
        )

    def _jitter(self, boxes: np.ndarray, noise: np.ndarray) -> np.ndarray:
        size = boxes[:, 2:] - boxes[:, :2]
        return clip(boxes + noise * np.concatenate([size, size], axis=1), self._scene)


def _measurements(found: _Found, scene: Scene, k: int, *, stamp_ns: int) -> Measurements:
    order = np.argsort(-found.score)
    position = found.position_m[order]
    position = np.where(position[:, 2:] <= DEPTH_RANGE_M, position, np.nan)
    covariance = position_covariance_m2(position, focal_px=scene.camera.fx_px)
    n = len(order)
    return Measurements(
        detections=Detections(
            stamp_ns=stamp_ns,
            box_xyxy_px=found.box_xyxy_px[order].astype(np.float32),
            score=found.score[order].astype(np.float32),
            class_id=np.zeros(n, np.int64),
        ),
        lifted=Lifted(
            position_in_camera_m=position.astype(np.float32),
            covariance_m2=covariance.astype(np.float32),
            size_m=np.full((n, 3), 0.1, np.float32),
        ),
        appearance=found.appearance[order].astype(np.float32),
        image_size_px=(scene.camera.width_px, scene.camera.height_px),
        camera=scene.camera,
        fixed_from_camera=scene.fixed_from_camera[k],
    )


def _join(*parts: _Found) -> _Found:
    return _Found(
        box_xyxy_px=np.concatenate([part.box_xyxy_px for part in parts]),
        score=np.concatenate([part.score for part in parts]),
        position_m=np.concatenate([part.position_m for part in parts]),
        appearance=np.concatenate([part.appearance for part in parts]),
    )


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))
