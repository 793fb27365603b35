"""Explains a model's outputs: a child process explains one picture at a time.

The child imports torch and runs at the lowest priority; this process hands it a picture and waits
in a separate thread. A job that takes too long ends the child, and the next job gets a new one; an
idle child ends after a while and frees its memory.
"""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock, Timer
from time import monotonic
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.console.pictures.decoder import Decoder
from robot_vision.console.pictures.encoding import jpeg, png
from robot_vision.console.pictures.kept_images import KeptImages
from robot_vision.console.problems import ConsoleError
from robot_vision.console.state import policy_moment
from robot_vision.console.state.policy_moment import LatestMoment, PolicyMoment
from robot_vision.console.why_schema import Why, WhyMap, WhyRequest
from robot_vision.core.files.pipe_message import read_message, write_message
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.console_config import ConsoleConfig

_LARGEST_PX = 1280
_JPEG_QUALITY = 85
_OPAQUE = 0.62

Rgb = UInt8[np.ndarray, "h w 3"]


class Explainer:
    """One picture at a time, at most every `why.gap_s`; other requests are rejected."""

    def __init__(
        self,
        service: ServiceConfig,
        config: ConsoleConfig,
        images: KeptImages,
        moment: LatestMoment = policy_moment.no_policy,
    ) -> None:
        """`moment` gives the latest decision of a policy in this process, if there is one."""
        self._models = {"detector": service.model, "classifier": service.classifier_model}
        self._config, self._images = config.why, images
        self.moment: Callable[[], PolicyMoment] = partial(policy_moment.explained, moment)
        self._decoder = Decoder(config.limits)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="console-why")
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._of = ""
        self._busy, self._is_closed = False, False
        self._last_s = -np.inf
        self._idle: Timer | None = None

    async def explain(
        self,
        asked: WhyRequest,
        *,
        rgb: Rgb | None = None,
        upload: bytes = b"",
        depth_m: Float32[np.ndarray, "hd wd"] | None = None,
        age_s: float | None = None,
    ) -> Why:
        """Explain a frame or an uploaded picture; raises `ConsoleError` with the reason if not."""
        bundle = self._models[asked.model]
        if not bundle:
            raise ConsoleError(422, f"the service has no {asked.model}: no bundle is configured")
        work = partial(self._explained, asked, bundle, rgb, upload, depth_m, age_s)
        return await self._in_turn(work)

    async def explain_policy(self, asked: WhyRequest) -> Why:
        """Of the policy's latest decision; raises `ConsoleError` where there is none."""
        return await self._in_turn(partial(self._explained_policy, asked, self.moment()))

    async def _in_turn(self, work: Callable[[], Why]) -> Why:
        if self._busy:
            raise ConsoleError(
                503, "another picture is being explained: try again when it is done"
            )
        if monotonic() - self._last_s < self._config.gap_s:
            text = f"only one picture every {self._config.gap_s:g} s is explained: try again later"
            raise ConsoleError(503, text)
        self._busy = True
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._work, work)
        except RuntimeError as error:  # the thread takes nothing any more
            raise ConsoleError(503, "the console is being shut down") from error

    def close(self) -> None:
        """End the child, whatever it is doing. Thread-safe."""
        with self._lock:
            self._is_closed = True
            self._end()
        self._decoder.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _work(self, work: Callable[[], Why]) -> Why:
        """In the thread: it is busy until it is done, also where the client has gone."""
        try:
            return work()
        finally:
            self._busy, self._last_s = False, monotonic()

    def _explained(
        self,
        asked: WhyRequest,
        bundle: str,
        rgb: Rgb | None,
        upload: bytes,
        depth_m: np.ndarray | None,
        age_s: float | None,
    ) -> Why:
        began_s = monotonic()
        if rgb is None:
            rgb = self._decoder.picture(upload, name="the picture")
        rgb, scale = _bounded(rgb)
        height_px, width_px = rgb.shape[:2]
        job = {
            "width_px": width_px,
            "height_px": height_px,
            "target": _scaled(asked.target, scale),
            "ways": list(dict.fromkeys(asked.ways)),
        }
        blocks = [np.ascontiguousarray(rgb).tobytes()]
        if depth_m is not None and depth_m.shape == rgb.shape[:2]:
            blocks.append(np.ascontiguousarray(depth_m, np.float32).tobytes())
        answer = self._ask(bundle, job, blocks)
        return self._shown(bundle, rgb, answer, began_s=began_s, age_s=age_s)

    def _explained_policy(self, asked: WhyRequest, moment: PolicyMoment) -> Why:
        began_s = monotonic()
        camera = asked.camera or moment.cameras[0]
        rgb = moment.picture(camera)
        inputs = {name: np.ascontiguousarray(value) for name, value in moment.inputs.items()}
        job = {
            "inputs": [[n, v.dtype.name, list(v.shape)] for n, v in inputs.items()],
            "camera": camera,
            "target": asked.target,
            "ways": list(dict.fromkeys(asked.ways)),
        }
        answer = self._ask(moment.bundle, job, [value.tobytes() for value in inputs.values()])
        return self._shown(moment.bundle, rgb, answer, began_s=began_s, age_s=moment.age_s)

    def _shown(
        self,
        model: str,
        rgb: Rgb,
        answer: tuple[dict[str, Any], list[bytes]],
        *,
        began_s: float,
        age_s: float | None,
    ) -> Why:
        """The child's answer about a picture."""
        (header, maps), (height_px, width_px) = answer, rgb.shape[:2]
        shown = jpeg(rgb, width_px=_LARGEST_PX, quality=_JPEG_QUALITY)
        return Why(
            model=model,
            target=header["words"],
            box_xyxy_px=header["box_px"],
            width_px=width_px,
            height_px=height_px,
            image=self._images.add(shown),
            maps=[
                WhyMap(**one, image=self._image(rgb, values))
                for one, values in zip(header["maps"], maps, strict=True)
            ],
            elapsed_s=round(monotonic() - began_s, 3),
            age_s=None if age_s is None else round(age_s, 3),
        )

    def _image(self, rgb: Rgb, values: bytes) -> str:
        """Store the map over the grey picture; empty for none."""
        if not values:
            return ""
        heat = np.frombuffer(values, np.uint8).reshape(rgb.shape[:2])
        colors = cv2.cvtColor(cv2.applyColorMap(heat, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
        grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        return self._images.add(png(cv2.addWeighted(grey, 1 - _OPAQUE, colors, _OPAQUE, 0)))

    def _ask(
        self, bundle: str, job: dict[str, Any], blocks: Sequence[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """The child's answer; raises `ConsoleError` if there is none or it is late."""
        child = self._living(bundle)
        assert child.stdin is not None
        assert child.stdout is not None
        late = Timer(self._config.limit_s, child.kill)
        late.daemon = True
        late.start()
        try:
            write_message(child.stdin, job, blocks)  # pyright: ignore[reportArgumentType]
            answer = read_message(child.stdout)  # pyright: ignore[reportArgumentType]
        except (OSError, ValueError):
            answer = None
        finally:
            is_late = not late.is_alive()
            late.cancel()
        if answer is None:
            with self._lock:
                self._end()
            if self._is_closed:
                raise ConsoleError(503, "the console is being shut down")
            if is_late:
                text = f"no explanation within {self._config.limit_s:g} s (console.why.limit_s)"
                raise ConsoleError(503, text)
            raise ConsoleError(503, "the explaining process has ended: ask again")
        self._wait_for_more()
        if "problem" in answer[0]:
            raise ConsoleError(422, answer[0]["problem"])
        return answer

    def _living(self, bundle: str) -> "subprocess.Popen[bytes]":
        """The child for that model, or a new one that has reported ready."""
        with self._lock:
            if self._is_closed:
                raise ConsoleError(503, "the console is being shut down")
            if self._idle is not None:
                self._idle.cancel()
            child = self._child
            if child is not None and child.poll() is None and self._of == bundle:
                return child
            self._end()
            child = self._child = subprocess.Popen(
                [sys.executable, "-m", "robot_vision.explain.child", bundle],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._of = bundle
        assert child.stdout is not None
        late = Timer(self._config.limit_s, child.kill)
        late.daemon = True
        late.start()
        try:
            said = read_message(child.stdout)  # pyright: ignore[reportArgumentType]
        except ValueError:
            said = None
        finally:
            late.cancel()
        if said is None or "problem" in said[0]:
            with self._lock:
                self._end()
            why = said[0]["problem"] if said else "it does not start; install the extra `explain`"
            raise ConsoleError(503, f"explaining is not available: {why}")
        return child

    def _wait_for_more(self) -> None:
        def end_idle() -> None:
            with self._lock:
                if not self._busy:
                    self._end()

        self._idle = Timer(self._config.idle_s, end_idle)
        self._idle.daemon = True
        self._idle.start()

    def _end(self) -> None:
        """Call with the lock held."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue


def _bounded(rgb: Rgb) -> tuple[UInt8[np.ndarray, "h2 w2 3"], float]:
    """A large picture scaled down, and the factor."""
    scale = min(1.0, _LARGEST_PX / max(rgb.shape[:2]))
    if scale == 1:
        return rgb, scale
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), scale


def _scaled(target: str, scale: float) -> str:
    """A target at a pixel, converted to the smaller picture."""
    kind, _, which = target.partition(":")
    parts = which.split(",")
    try:
        x, y = (float(part) * scale for part in parts)
    except ValueError:
        return target
    return f"{kind}:{x:.1f},{y:.1f}"
