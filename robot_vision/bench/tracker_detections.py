"""A detector's view of a scene: noise, misses under occlusion, false alarms, depth and looks."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from robot_vision.bench.tracker_scenes import Scene
from robot_vision.bench.tracker_sequences import Sequence, Truth
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.geometry import invert_transform
from robot_vision.core.types import Detections, Lifted, Measurements

APPEARANCE_SIZE = 32
SAMPLES = 8


@dataclass(frozen=True, kw_only=True)
class DetectorModel:
    """How good the detector is. Lengths are shares of the box's size where not said otherwise.

    `memory_s` is how long its errors last: a detector that misses an object misses it again.
    """

    edge_noise: float = 0.03
    memory_s: float = 0.08
    miss_bias: float = 3.0
    faintest: float = -1.5
    score_gain: float = 1.0
    false_alarms_per_frame: float = 0.3
    duplicate_share: float = 0.02
    score_noise: float = 0.8
    least_visible: float = 0.1


GOOD = DetectorModel()


def drawn_model(seed: int) -> DetectorModel:
    """A detector of some other make: from sure and clean to one that misses and sees ghosts."""
    rng = np.random.default_rng([seed, 7])
    return DetectorModel(
        edge_noise=rng.uniform(0.03, 0.07),
        memory_s=rng.uniform(0.05, 0.3),
        miss_bias=rng.uniform(1.2, 3.5),
        faintest=rng.choice([-1.5, -0.5, 0.3]),
        score_gain=rng.uniform(0.8, 3.0),
        false_alarms_per_frame=rng.uniform(0.3, 2.5),
        duplicate_share=rng.uniform(0.0, 0.06),
        score_noise=rng.uniform(0.5, 1.3),
        least_visible=0.0,
    )


MISS_SPREAD = 1.5
CLUTTER_SPOTS = 20
CLUTTER_S = 0.15
DEPTH_RANGE_M = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class _View:
    """A scene in one frame: all objects, those out of sight included."""

    position_m: Float[np.ndarray, "n 3"]
    box_xyxy_px: Float[np.ndarray, "n 4"]
    seen_box_xyxy_px: Float[np.ndarray, "n 4"]
    visible: Float[np.ndarray, " n"]
    in_view: Bool[np.ndarray, " n"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    box_xyxy_px: Float[np.ndarray, "n 4"]
    score: Float[np.ndarray, " n"]
    position_m: Float[np.ndarray, "n 3"]
    appearance: Float[np.ndarray, "n d"]


def detect(scene: Scene, *, model: DetectorModel, seed: int) -> Sequence:
    """Run the model of a detector over a scene; the first stamp is 1 s."""
    rng = np.random.default_rng([seed, 99])
    detector = _Detector(scene, model=model, rng=rng)
    measurements, truths = [], []
    for k in range(len(scene.position_m)):
        view = _view(scene, k)
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
    """Errors that last: what moves from frame to frame in a detector's mistakes."""

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

    def look(self, view: _View) -> _Found:
        """Objects found, doubles of them, and false alarms."""
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
        return _join(
            self._objects(view, found, strength),
            self._doubles(view, found, strength),
            self._false_alarms(view),
        )

    def _objects(self, view: _View, found: np.ndarray, strength: np.ndarray) -> _Found:
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

    def _doubles(self, view: _View, found: np.ndarray, strength: np.ndarray) -> _Found:
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

    def _false_alarms(self, view: _View) -> _Found:
        rng, camera = self._rng, self._scene.camera
        share = self._model.false_alarms_per_frame / CLUTTER_SPOTS
        fades = rng.random(CLUTTER_SPOTS) < 1 - np.exp(-self._dt_s / CLUTTER_S)
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
        return _clip(boxes + noise * np.concatenate([size, size], axis=1), self._scene)


def _view(scene: Scene, k: int) -> _View:
    camera_from_fixed = invert_transform(scene.fixed_from_camera[k])
    position = scene.position_m[k] @ camera_from_fixed[:3, :3].T + camera_from_fixed[:3, 3]
    depth = np.maximum(position[:, 2], 0.05)
    focal = np.array([scene.camera.fx_px, scene.camera.fy_px])
    centre = position[:, :2] / depth[:, None] * focal
    centre += [scene.camera.cx_px, scene.camera.cy_px]
    half = scene.size_m[:, :2] / depth[:, None] * focal / 2
    whole = np.concatenate([centre - half, centre + half], axis=1)
    box = _clip(whole, scene)
    inside = _area(box) / np.maximum(_area(whole), 1e-9)
    in_view = (inside > 0.2) & (position[:, 2] > 0.15)
    visible, seen_box = _visibility(box, depth=depth, in_view=in_view)
    return _View(
        position_m=position,
        box_xyxy_px=box,
        seen_box_xyxy_px=seen_box,
        visible=visible,
        in_view=in_view,
    )


def _visibility(
    box: np.ndarray, *, depth: np.ndarray, in_view: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Share of each box that no nearer box covers, and the bounds of that part."""
    step = (np.arange(SAMPLES) + 0.5) / SAMPLES
    grid = np.stack(np.meshgrid(step, step), axis=-1).reshape(-1, 2)
    point = box[:, None, :2] + grid[None] * (box[:, None, 2:] - box[:, None, :2])
    above = np.all(point[:, :, None] >= box[None, None, :, :2], axis=3)
    below = np.all(point[:, :, None] <= box[None, None, :, 2:], axis=3)
    nearer = np.less(depth[None, :], depth[:, None]) & in_view[None, :]
    free = ~np.any(above & below & nearer[:, None, :], axis=2)
    low = np.where(free[..., None], point, np.inf).min(axis=1)
    high = np.where(free[..., None], point, -np.inf).max(axis=1)
    cell = (box[:, 2:] - box[:, :2]) / SAMPLES / 2
    seen = np.concatenate([low - cell, high + cell], axis=1)
    hidden = ~np.any(free, axis=1)
    return free.mean(axis=1), np.where(hidden[:, None], box, seen)


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


def _clip(boxes: np.ndarray, scene: Scene) -> np.ndarray:
    limit = [scene.camera.width_px, scene.camera.height_px] * 2
    return np.clip(boxes, 0, limit)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))
