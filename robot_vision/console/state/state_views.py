"""The snapshots in the schema's types: read only, in the console's threads."""

import json
from time import monotonic, time
from typing import Any

import numpy as np
import psutil

from robot_vision.console.class_schema import ClassificationView, SegmentationView
from robot_vision.console.command_schema import CommandsState
from robot_vision.console.commander import Commander
from robot_vision.console.object_schema import GroundedView, ObjectsView
from robot_vision.console.schema import (
    CameraState,
    Count,
    Diagnosis,
    Memory,
    Metrics,
    ModelState,
    PolicyView,
    State,
)
from robot_vision.console.state.admission import admit_grounded, number_of, objects_in
from robot_vision.console.state.class_views import classification_view, segmentation_view
from robot_vision.console.state.history import DEGRADED, DROPPED, History, counts_of, rates_of
from robot_vision.console.state.snapshots import Kept, Sighting, Snapshots
from robot_vision.core.results.grounded import grounded_json_of, grounded_objects_of, grounded_part
from robot_vision.core.results.objects import json_of, objects_of
from robot_vision.core.types import Perception
from robot_vision.viz.outlines import outlines_px

_STARTING_S = 3.0
_STALE_S = 3.0
_LEVELS = {"error": 0, "stale": 1, "warn": 2, "ok": 3}


class Views:
    """Reads snapshots and their history, for HTTP routes and the stream alike."""

    def __init__(
        self,
        snapshots: Snapshots,
        history: History,
        commander: Commander,
        *,
        no_camera_after_s: float,
    ) -> None:
        self._snapshots = snapshots
        self._history = history
        self._commander = commander
        self._no_camera_after_s = no_camera_after_s
        self._process = psutil.Process()

    def state(self, *, viewers: int) -> State:
        """Everything but the pictures and the objects."""
        self._history.settle()
        now_s = monotonic()
        inputs = self._values("inputs")
        camera = self._camera(now_s)
        policy = self._policy()
        return State(
            now_s=time(),
            uptime_s=now_s - self._snapshots.began_s,
            camera=camera,
            model=self._model(),
            rates_hz=self._rates_hz(now_s, inputs, policy),
            age_ms=self._history.spreads_ms(),
            drops=_counts(inputs, DROPPED),
            degraded=_counts(inputs, DEGRADED),
            silence="" if camera.status == "live" else camera.reason,
            diagnostics=self._diagnoses(now_s),
            memory=self._memory(),
            policy=policy,
            instructions=self._commander.instructions(),
            commands=self._commands(),
            viewers=viewers,
            unusable=dict(self._snapshots.unusable),
        )

    def frames_flow(self) -> tuple[bool, str]:
        """Whether results come, and why not."""
        self._history.settle()
        camera = self._camera(monotonic())
        return camera.status == "live", camera.reason

    def objects(self) -> ObjectsView | None:
        """The tracks of the newest frame; None before the first."""
        kept = self._snapshots.objects
        return None if kept is None else objects_view(kept)

    def grounded(self) -> GroundedView | None:
        """Objects that match the prompt in the newest frame; None without a grounding model."""
        kept = self._snapshots.grounded
        return None if kept is None else grounded_view(kept)

    def classification(self) -> ClassificationView | None:
        """The classes of the newest frame that was classified; None before the first."""
        kept = self._snapshots.classification
        return None if kept is None else classification_view(kept.value)

    def segmentation(self) -> SegmentationView | None:
        """The classes of the newest segmented frame's pixels; None before the first."""
        kept = self._snapshots.segmentation
        return None if kept is None else segmentation_view(kept.value)

    def metrics(self, *, after: tuple[int, int] | None) -> tuple[tuple[int, int], Metrics]:
        """Points after the numbers `after` (None: all), and the numbers to go on from."""
        self._history.settle()
        second, seconds = self._history.seconds_after(after[0] if after else 0)
        action, actions = self._history.actions_after(after[1] if after else 0)
        return (second, action), Metrics(reset=after is None, seconds=seconds, actions=actions)

    def _camera(self, now_s: float) -> CameraState:
        history, frame = self._history, self._snapshots.frame
        newest = self._snapshots.objects
        status, reason, since_s = "live", "", history.live_since_s or now_s
        patience_s = max(self._no_camera_after_s, 3 * history.period_s())
        last_s = history.last_result_s
        if last_s is None:
            status, since_s = "starting", self._snapshots.began_s
            reason = self._why_not_yet()
            if now_s - since_s > _STARTING_S and not self._busy():
                status = "no camera"
        elif now_s - last_s > patience_s:
            status, reason, since_s = "no camera", self._why_quiet(now_s - last_s), last_s
        shape = frame.value.rgb.shape if frame else (0, 0, 3)
        return CameraState(
            status=status,
            reason=reason,
            for_s=max(now_s - since_s, 0.0),
            stamp_ns=_stamp_ns(newest),
            frame_age_ms=round(newest.age_now_s() * 1e3, 3) if newest else None,
            frame_id=frame.value.frame_id if frame else "",
            width_px=shape[1],
            height_px=shape[0],
        )

    def _busy(self) -> bool:
        model = self._values("model")
        return bool(model.get("doing")) or model.get("state") == "unconfigured"

    def _why_not_yet(self) -> str:
        model = self._diagnosis("model")
        if model is None:
            return f"nothing heard yet of the node {self._snapshots.perception_name}"
        if self._busy() or model.level == "error":
            return model.message
        return self._why_quiet(monotonic() - self._snapshots.began_s)

    def _why_quiet(self, quiet_s: float) -> str:
        """The node's own report: it knows whether the camera, QoS or the model is the cause."""
        words = f"no frame for {quiet_s:.1f} s"
        for part in ("model", "inputs"):
            diagnosis = self._diagnosis(part)
            if diagnosis is not None and diagnosis.level == "error":
                return f"{words}: {_first_cause(diagnosis.message)}"
        model = self._snapshots.diagnoses.get(self._name("model"))
        if model is None or monotonic() - model.at_s > _STALE_S:
            return f"{words}, and the node {self._snapshots.perception_name} says nothing"
        if model.value.values.get("state") not in (None, "active"):
            return f"{words}: the node is {model.value.values['state']}"
        return words

    def _model(self) -> ModelState:
        values = self._values("model")
        depth = self._snapshots.depth
        return ModelState(
            id=values.get("model", "") or _model_id(self._snapshots.objects),
            provider=values.get("provider", ""),
            fallback_reason=values.get("fallback_reason", ""),
            state=values.get("state", ""),
            doing=values.get("doing", ""),
            depth_source=depth.value.source if depth else None,
        )

    def _rates_hz(
        self, now_s: float, inputs: dict[str, str], policy: PolicyView | None
    ) -> dict[str, float]:
        rates = rates_of(inputs)
        rates["output"] = round(self._history.output_hz(now_s), 2)
        if policy is not None and policy.command_hz is not None:
            rates["command"] = policy.command_hz
        return rates

    def _diagnoses(self, now_s: float) -> list[Diagnosis]:
        """Worst first; those that were not repeated for some time are stale."""
        kept = list(self._snapshots.diagnoses.values())
        shown = [
            k.value
            if now_s - k.at_s < _STALE_S
            else k.value.model_copy(
                update={
                    "level": "stale",
                    "message": f"{now_s - k.at_s:.0f} s ago: {k.value.message}",
                }
            )
            for k in kept
        ]
        return sorted(shown, key=lambda diagnosis: (_LEVELS[diagnosis.level], diagnosis.name))

    def _memory(self) -> Memory:
        used_mb = self._values("model").get("memory_rss_mb", "")
        return Memory(
            console_mb=round(self._process.memory_info().rss / 1e6, 1),
            perception_mb=number_of(used_mb),
        )

    def _policy(self) -> PolicyView | None:
        kept = self._snapshots.policy
        if kept is None:
            return None
        return PolicyView(**vars(kept.value), silent_s=round(monotonic() - kept.at_s, 3))

    def _commands(self) -> CommandsState:
        problem = self._commander.problem()
        return CommandsState(allowed=not problem, reason=problem)

    def _name(self, part: str) -> str:
        return f"{self._snapshots.perception_name}: {part}"

    def _diagnosis(self, part: str) -> Diagnosis | None:
        kept = self._snapshots.diagnoses.get(self._name(part))
        return kept.value if kept else None

    def _values(self, part: str) -> dict[str, str]:
        diagnosis = self._diagnosis(part)
        return diagnosis.values if diagnosis else {}


def _first_cause(message: str) -> str:
    """The message without its part on depth topics: a missing colour image explains enough."""
    return message.partition("; depth: ")[0]


def objects_view(kept: Kept[Sighting | ObjectsView]) -> ObjectsView:
    """Rows as in `~/objects/json`, with outlines where this process has the masks."""
    if isinstance(kept.value, ObjectsView):
        return kept.value
    sighting = kept.value
    perception = sighting.perception
    pose = perception.frame.fixed_from_camera if sighting.target_frame else None
    objects = objects_of(perception, target_frame=sighting.target_frame, target_from_camera=pose)
    stage_s = {stage: s for stage, s in sighting.stage_s.items() if stage != "age"}
    text = json_of(objects, perception, age_s=kept.age_s, stage_s=stage_s)
    data: dict[str, Any] = json.loads(text)
    data["height_px"], data["width_px"] = perception.frame.rgb.shape[:2]
    for row, outline in zip(data["objects"], _outlines(perception), strict=True):
        row["outline_px"] = outline
    return objects_in(data)


def grounded_view(kept: Kept[Sighting | GroundedView]) -> GroundedView:
    """Rows as in `~/grounded/json`."""
    if isinstance(kept.value, GroundedView):
        return kept.value
    sighting = kept.value
    part = grounded_part(sighting.perception)
    assert part is not None
    frame_id = sighting.target_frame or part.frame.frame_id
    objects = grounded_objects_of(part, frame_id=frame_id)
    stage_s = {stage: s for stage, s in sighting.stage_s.items() if stage != "age"}
    view, _ = admit_grounded(grounded_json_of(objects, part, age_s=kept.age_s, stage_s=stage_s))
    height_px, width_px = part.frame.rgb.shape[:2]
    return view.model_copy(update={"height_px": height_px, "width_px": width_px})


def _outlines(perception: Perception) -> list[list[list[tuple[float, float]]] | None]:
    """For each track the outline of its detection's mask in this frame."""
    rows: np.ndarray = perception.tracks.detection_index
    masks = perception.detections.mask
    if masks is None:
        return [None] * len(rows)
    height_px, width_px = perception.frame.rgb.shape[:2]
    return [
        outlines_px(masks[row], width_px=width_px, height_px=height_px)
        if 0 <= row < len(masks)
        else None
        for row in rows.tolist()
    ]


def _stamp_ns(kept: Kept[Sighting | ObjectsView] | None) -> int | None:
    if kept is None:
        return None
    value = kept.value
    return value.stamp_ns if isinstance(value, ObjectsView) else value.perception.stamp_ns


def _model_id(kept: Kept[Sighting | ObjectsView] | None) -> str:
    if kept is None:
        return ""
    value = kept.value
    return value.model if isinstance(value, ObjectsView) else value.perception.model_id


def _counts(values: dict[str, str], prefix: str) -> list[Count]:
    return [Count(cause=c, total=n) for c, n in counts_of(values, prefix).items()]
