"""A tiny policy from pixels for tests: its actions are numbers that follow from what it sees."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.model_store.policies import PolicyBundle, write_policy

FRONT = CameraInput(name="front", width_px=32, height_px=24)
WRIST = CameraInput(name="wrist", width_px=32, height_px=24)
WORDS = ("go", "wait", "left")
MAX_WORDS, TEXT_WIDTH, FEATURES = 4, 3, (64, 20, 26)
HORIZON = 8
_KINDS = {"uint8": TensorProto.UINT8, "bool": TensorProto.BOOL, "float32": TensorProto.FLOAT}


def write_pixel_bundle(
    folder: Path,
    *,
    observation: ObservationSpec,
    base: Sequence[float] = (0.0,) * 6 + (1.0,),
    gains: Mapping[str, float] | None = None,
    noise: bool = False,
    counts: bool = False,
    spec: Mapping[str, Any] | None = None,
    **manifest: Any,
) -> PolicyBundle:
    """A bundle whose action is `base` in every step, and in column 0 the means of inputs more.

    `gains` say how much of each input's mean (pictures from 0 to 255). With `counts` it carries
    how often it was asked, which is added as well; `noise` is added to column 1.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inputs = _inputs(observation)
    if counts:
        inputs["past_count"] = ("float32", (1,))
    if noise:
        inputs["noise"] = ("float32", (HORIZON, 2))
    _write_network(folder / "policy.onnx", inputs, tuple(base), dict(gains or {}))
    vocabulary = None
    if observation.words == "vocabulary":
        _write_language(folder / "language.onnx")
        vocabulary = Vocabulary(words=WORDS, things=(), actions=(), max_words=MAX_WORDS)
    numbers = len(base)
    action_spec = {
        "model_id": "tiny@1",
        "perception_model_id": "",
        "step_s": 0.1,
        "horizon": HORIZON,
        "history": 0,
        "statistics": ActionStatistics(mean=(0.0,) * numbers, scale=(1.0,) * numbers),
    }
    described = {
        "name": "tiny",
        "kind": "pixels",
        "architecture": "pixel-policy",
        "action_spec": ActionSpec(**{**action_spec, **(spec or {})}),
        "observation": observation,
        "vocabulary": vocabulary,
        "language_file": "language.onnx" if vocabulary else None,
    }
    return write_policy(folder, PolicyManifest(**{**described, **manifest}))


def _inputs(seen: ObservationSpec) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Kinds and shapes, without the batch, in the order of the settled interface."""
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for camera in seen.cameras:
        size = (camera.height_px, camera.width_px)
        found[f"rgb_{camera.name}"] = ("uint8", (seen.steps, *size, 3))
        found[f"seen_{camera.name}"] = ("bool", (seen.steps,))
        if camera.has_depth:
            found[f"depth_{camera.name}"] = ("float32", (seen.steps, *size))
            found[f"depth_seen_{camera.name}"] = ("bool", (seen.steps,))
    found["age_s"] = ("float32", (seen.steps,))
    if seen.state != "none":
        found["state"] = ("float32", (seen.steps, seen.state_width))
        found["state_seen"] = ("bool", (seen.steps,))
    if seen.words != "none":
        found["text"] = ("float32", (MAX_WORDS, TEXT_WIDTH))
        found["text_seen"] = ("bool", (MAX_WORDS,))
    if "features" in seen.perception:
        found["features"] = ("float32", FEATURES)
        found["features_seen"] = ("bool", (1,))
    return found


def _write_network(
    path: Path,
    inputs: Mapping[str, tuple[str, tuple[int, ...]]],
    base: tuple[float, ...],
    gains: Mapping[str, float],
) -> None:
    rows = np.tile(np.array(base, np.float32), (1, HORIZON, 1))
    nodes, sums = [_constant("base", rows)], []
    columns = {"column_0": 0, "column_1": 1}
    for name, column in columns.items():
        nodes.append(_constant(name, np.eye(len(base), dtype=np.float32)[column][None, None]))
    for name, (_, shape) in inputs.items():
        gain = 1.0 if name in ("past_count", "noise") else gains.get(name, 0.0)
        axes = list(range(len(shape) + 1))
        nodes += [
            _constant(f"{name}_gain", np.float32(gain)),
            helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", [f"{name}_f"], [f"{name}_m"], axes=axes, keepdims=0),
            helper.make_node("Mul", [f"{name}_m", f"{name}_gain"], [f"{name}_s"]),
        ]
        column = "column_1" if name == "noise" else "column_0"
        nodes.append(helper.make_node("Mul", [f"{name}_s", column], [f"{name}_a"]))
        sums.append(f"{name}_a")
    nodes.append(helper.make_node("Sum", sums, ["seen"]))
    nodes.append(helper.make_node("Add", ["base", "seen"], ["action"]))
    outputs = [helper.make_tensor_value_info("action", TensorProto.FLOAT, rows.shape)]
    if "past_count" in inputs:
        nodes.append(_constant("one", np.ones((1, 1), np.float32)))
        nodes.append(helper.make_node("Add", ["past_count", "one"], ["count"]))
        outputs.append(helper.make_tensor_value_info("count", TensorProto.FLOAT, (1, 1)))
    given = [
        helper.make_tensor_value_info(name, _KINDS[kind], (1, *shape))
        for name, (kind, shape) in inputs.items()
    ]
    _save(path, nodes, given, outputs)


def _write_language(path: Path) -> None:
    """Each token's number is its encoding, in every column."""
    nodes = [
        _constant("width", np.ones((1, 1, TEXT_WIDTH), np.float32)),
        _constant("last", np.array([-1], np.int64)),
        helper.make_node("Cast", ["tokens"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "last"], ["column"]),
        helper.make_node("Mul", ["column", "width"], ["encoding"]),
    ]
    given = [helper.make_tensor_value_info("tokens", TensorProto.INT64, (1, MAX_WORDS))]
    shape = (1, MAX_WORDS, TEXT_WIDTH)
    _save(path, nodes, given, [helper.make_tensor_value_info("encoding", 1, shape)])


def _constant(name: str, value: Any) -> Any:
    return helper.make_node(
        "Constant", [], [name], value=numpy_helper.from_array(np.asarray(value), name)
    )


def _save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> None:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
