"""The service from Python: `load` a model, call it with frames or pictures, read typed results."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from robot_vision.core.cameras.given_frame import check_depth, check_frame, check_rgb
from robot_vision.core.errors import ConfigError, FrameError, RobotVisionError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Camera, Frame, Perception
from robot_vision.pipeline import Pipeline, build_pipeline


class Service:
    """A pipeline that is called with one frame after the other; for one thread at a time.

    `with` closes it, and so does `close`: its models and their memory are released.
    """

    def __init__(self, pipeline: Pipeline, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._pipeline: Pipeline | None = pipeline
        self._now_ns = now_ns
        self.class_names = pipeline.perceiver.class_names
        self.model_id = pipeline.perceiver.model_id
        self.provider = pipeline.perceiver.provider

    def __call__(
        self,
        picture: Frame | np.ndarray,
        depth_m: np.ndarray | None = None,
        *,
        camera: Camera | None = None,
        stamp_ns: int | None = None,
    ) -> Perception:
        """Detections, tracks, depth and features of a frame or of an RGB picture.

        `depth_m` covers the view of the picture, at any size. Objects are placed in 3-D where
        depth and `camera` are given. Tracks need stamps that go forward: a picture without
        `stamp_ns` has the time of the call. Raises `FrameError` for arrays that are not a frame.
        """
        if isinstance(picture, Frame):
            if not (depth_m is None and camera is None and stamp_ns is None):
                raise FrameError(
                    "depth_m, camera and stamp_ns go with a picture; a Frame has its own: "
                    "give them to the Frame"
                )
            frame = picture
        else:
            frame = self._framed(picture, depth_m, camera, stamp_ns)
        check_frame(frame)
        return self._open().process(frame)

    def forget(self) -> None:
        """Begin anew with the next frame: no track lives on."""
        self._open().forget()

    def close(self) -> None:
        """Release the models; the service cannot be called any more."""
        if self._pipeline is not None:
            self._pipeline.perceiver.close()
        self._pipeline = None

    def __enter__(self) -> "Service":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _framed(
        self,
        rgb: np.ndarray,
        depth_m: np.ndarray | None,
        camera: Camera | None,
        stamp_ns: int | None,
    ) -> Frame:
        check_rgb(rgb)
        if depth_m is not None:
            check_depth(depth_m)
        stamp_ns = self._now_ns() if stamp_ns is None else stamp_ns
        return Frame(
            stamp_ns=stamp_ns,
            frame_id="" if camera is None else camera.frame_id,
            rgb=rgb,
            camera=camera,
            depth_m=depth_m,
            depth_stamp_ns=None if depth_m is None else stamp_ns,
        )

    def _open(self) -> Pipeline:
        if self._pipeline is None:
            raise RobotVisionError(f"the service of {self.model_id} is closed: load another one")
        return self._pipeline


def load(
    model: str | Path = "native-s", *, parameters: Mapping[str, Any] | None = None
) -> Service:
    """The service with the bundle of that name or folder, loaded and warm.

    `parameters` are the node's, by dotted name: `{"detector.score_threshold": 0.4}`. Raises
    `BundleError`, `DeviceError` or `ConfigError`.
    """
    given = dict(parameters or {})
    if "model" in given:
        raise ConfigError(
            f"parameters has model {given['model']!r}; give it as the first argument"
        )
    return Service(build_pipeline(with_values(ServiceConfig(), {"model": str(model), **given})))
