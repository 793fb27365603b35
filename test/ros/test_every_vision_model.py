"""Every vision model of the registry in the node, over real DDS on the shipped recording.

A model is found by its card: it is trained for a step on a tiny set, exported, and named to the
node under the parameter that serves its bundle's task. What it must publish follows from the
outputs of its bundle; a model that is added later needs no line here.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from rcl_interfaces.msg import Log
from rclpy.logging import LoggingSeverity
from rclpy.qos import DurabilityPolicy, QoSProfile
from references import declare_operators
from ros_harness import Rig, rig, wait_for_readers
from runs import Rows, tiny_spec
from sensor_msgs.msg import Image
from shapes_set import write_shapes_set
from std_msgs.msg import String

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.parameters.config import MODEL_PARAMETERS
from robot_vision.core.parameters.params import Params
from robot_vision.core.types import Frame
from robot_vision.export.bundle import export_run
from robot_vision.formats.registry import FORMATS
from robot_vision.model_store.store import find_bundle
from robot_vision.models.encoders.encoder import ENCODERS
from robot_vision.models.registry import MODELS
from robot_vision.replay.reading.example_frames import load_frames
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.tools.camera import serialized
from robot_vision.ros.tools.player import restamped
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe_file import recipe_of
from robot_vision.training.engine.task import TASKS
from robot_vision.training.self_supervised.options import SelfSupervisedOptions

pytestmark = pytest.mark.ros

FRAMES = 2
FRAME_SIZE = WIDTH_PX, HEIGHT_PX = 320, 240
# Of the same ratio as the frames, so that the grids which come out are whole.
TINY_SIZE, FULL_SIZE = (128, 96), (256, 192)
SIZE_OF_14_PX_PATCHES = (896, 672)  # the smallest of that ratio that a recipe accepts
# Their exports take the longest; other tests serve the shipped bundle, which is a native model.
LONG_TO_EXPORT = ("detr", "native-m", "rgbd-temporal")
PHRASE = "a red disc"  # of the words that the tiny set of shapes has
# Random weights find something, and it is tracked; depth is asked of the model alone.
UNSURE = {
    "detector__score_threshold": 1e-6,
    "tracker__low_score": 0.0,
    "tracker__high_score": 0.0,
    "tracker__birth_evidence": -10.0,
    "depth__mode": "model",
    "prompt": PHRASE,
    "grounding_threshold": 1e-6,
    "device": "cpu",
    "threads": 1,
}
# Under which parameter the node serves a bundle, by its task.
PARAMETER = {
    "detection": "model",
    "multitask": "model",
    "depth": "depth_model",
    "classification": "classifier_model",
    "segmentation": "segmentation_model",
    "features": "feature_model",
    "grounding": "grounding_model",
}


def sees(name: str) -> bool:
    """Whether the model is served by its bundle's format: policies are not."""
    serving = MODELS.get(name).serving
    return serving is not None and serving.image is not None


VISION_MODELS = [name for name in MODELS if sees(name)]


def different_when_tiny() -> list[Any]:
    """One of the models whose tiny ones are the same: they are sizes of one architecture."""
    one_of = {}
    for name in VISION_MODELS:
        card = MODELS.get(name)
        one_of.setdefault((card.build, card.tiny.model_dump_json()), name)
    slow = pytest.mark.slow
    return [
        pytest.param(name, marks=slow if name in LONG_TO_EXPORT else ())
        for name in one_of.values()
    ]


@dataclass(frozen=True)
class Variant:
    """A model, how large, and of which encoder; empty: its own."""

    model: str
    full: bool = False
    encoder: str = ""

    def spec(self) -> dict[str, Any]:
        if self.full:
            return {}
        spec = tiny_spec(self.model)
        if self.encoder:
            options = ENCODERS.get(self.encoder).tiny.model_dump()
            spec["encoder"] = {"name": self.encoder, "options": options}
        return spec

    def __str__(self) -> str:
        return "-".join(filter(None, (self.model, "full" * self.full, self.encoder)))


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Variant], Path]:
    """A bundle of a variant, made once."""
    root = tmp_path_factory.mktemp("every_model")
    shapes = write_shapes_set(root / "shapes", images=4)

    @cache
    def bundle(variant: Variant) -> Path:
        run, folder = root / f"{variant}-run", root / str(variant)
        width_px, height_px = FULL_SIZE if variant.full else TINY_SIZE
        if variant.encoder.startswith("dinov2"):
            width_px, height_px = SIZE_OF_14_PX_PATCHES
        task = MODELS.get(variant.model).task
        options = options_of(TASKS.get(task).options, shapes, root / "cache", width_px, height_px)
        unknown = options.keys() - TASKS.get(task).options.model_fields.keys()
        if unknown:
            pytest.fail(
                f"the task {task!r} of model {variant.model!r} has no options "
                f"{', '.join(sorted(unknown))}: derive its options from PictureOptions or "
                "SelfSupervisedOptions, or make its tiny recipe here"
            )
        recipe = recipe_of(
            {
                "task": task,
                "model": variant.model,
                "spec": variant.spec(),
                "run": {"steps": 1, "round_steps": 1, "batch_size": 4, "rounds_per_evaluation": 0},
                "options": options,
            }
        )
        train(recipe, run, reporter=Rows())
        export_run(run, folder)
        return folder

    return bundle


def options_of(
    kind: type[Params], shapes: Path, cache: Path, width_px: int, height_px: int
) -> dict[str, Any]:
    """Options of a task that put a tiny set in the place of its own."""
    if issubclass(kind, SelfSupervisedOptions):
        return {
            "train_sets": [str(shapes)],
            "cache_dir": str(cache),
            "frame": {"width_px": 128, "height_px": 96},
            "served_width_px": width_px,
            "served_height_px": height_px,
        }
    return {
        "train_set": str(shapes),
        "val_set": str(shapes),
        "cache_dir": str(cache),
        "evaluation_images": 2,
        "resolutions": [{"width_px": width_px, "height_px": height_px}],
    }


class Heard:
    """What came on each topic below the node, by stamp, and what was logged as an error."""

    def __init__(self, r: Rig, topics: dict[str, type]) -> None:
        self.by_topic: dict[str, dict[int, Any]] = {name: {} for name in topics}
        self.errors: list[str] = []
        listener = r.monitor.node
        for name, kind in topics.items():
            listener.create_subscription(
                kind, f"/perception/{name}", lambda m, n=name: self._keep(n, m), 10
            )
        kept = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        listener.create_subscription(Log, "/rosout", self._log, kept)

    def _keep(self, name: str, message: Any) -> None:
        said = json.loads(message.data) if isinstance(message, String) else message
        stamp_ns = said["stamp_ns"] if isinstance(said, dict) else ns_from_stamp(said.header.stamp)
        self.by_topic[name][stamp_ns] = said

    def _log(self, line: Log) -> None:
        if line.level >= LoggingSeverity.ERROR:
            self.errors.append(f"{line.name}: {line.msg}")

    def missing(self, stamp_ns: int) -> list[str]:
        return [name for name, said in self.by_topic.items() if stamp_ns not in said]


class Answers:
    """What is to come from a bundle, and whether it did as it must."""

    def __init__(self, manifest: ModelManifest, folder: Path) -> None:
        self._manifest = manifest
        self._depth_role = FORMATS.get(manifest.format).depth_role
        graph = onnx.load(folder / manifest.file).graph
        shapes = {
            value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
            for value in graph.output
        }
        # A bundle with one output need not name it.
        named = manifest.outputs or {FORMATS.get(manifest.format).roles[0]: graph.output[0].name}
        self.shape_of = {role: shapes[tensor] for role, tensor in named.items()}
        checks = {
            "overlay": (Image, self._overlay, True),
            "features": (Image, self._features, self._has("features")),
            "embedding": (Image, self._embedding, self._has("features")),
            "depth/image": (Image, self._depth, self._has(self._depth_role)),
            "classification/json": (
                String,
                self._classes,
                manifest.task == "classification" or self._has("class_probabilities"),
            ),
            "segmentation/json": (String, self._shares, self._has_labels),
            "grounded/json": (String, self._named, manifest.task == "grounding"),
            "segmentation": (Image, self._labels, self._has_labels),
        }
        self._checks = {name: check for name, (_, check, comes) in checks.items() if comes}
        self.topics: dict[str, type] = {name: checks[name][0] for name in self._checks}

    @property
    def _has_labels(self) -> bool:
        return self._manifest.task == "segmentation" or self._has("semantic")

    def _has(self, role: str) -> bool:
        return role in self.shape_of

    def check(self, heard: Heard, stamp_ns: int, frame_id: str) -> None:
        for name, check in self._checks.items():
            said = heard.by_topic[name][stamp_ns]
            found_id = said["frame_id"] if isinstance(said, dict) else said.header.frame_id
            assert found_id == frame_id, name
            check(said)

    def check_result(self, result: dict[str, Any]) -> None:
        """Of a detector, what it found; of each other model, that the frame has no complaint."""
        on_depth = ("depth is rough", "no depth")  # no model but depth's own is asked for it
        assert [note for note in result["notes"] if not note.startswith(on_depth)] == []
        if PARAMETER[self._manifest.task] != "model":
            return
        assert result["model"] == self._manifest.model_id
        check_objects(result["objects"], self._manifest.classes)

    def _named(self, said: dict[str, Any]) -> None:
        assert said["model"] == self._manifest.model_id
        assert [phrase["problem"] for phrase in said["phrases"]] == [""]
        check_objects(said["objects"], (PHRASE,))

    def _overlay(self, image: Image) -> None:
        assert (image.height, image.width, image.encoding) == (HEIGHT_PX, WIDTH_PX, "rgb8")

    def _features(self, image: Image) -> None:
        _, channels, rows, columns = self.shape_of["features"]
        assert (image.height, image.width) == (rows, columns)
        assert image.encoding == f"32FC{channels}"
        assert np.isfinite(numbers(image)).all()

    def _embedding(self, image: Image) -> None:
        pooled = self.shape_of.get("embedding", self.shape_of["features"][:2])
        assert image.encoding == f"32FC{pooled[1]}"
        assert np.linalg.norm(numbers(image)) == pytest.approx(1, abs=1e-4)

    def _depth(self, image: Image) -> None:
        assert image.encoding == "32FC1"
        assert (image.height, image.width) == self.shape_of[self._depth_role][-2:]
        depth_m = numbers(image)
        known = ~np.isnan(depth_m)  # NaN is what lies beyond depth.max_m
        assert known.mean() > 0.5
        assert np.isfinite(depth_m[known]).all()
        assert (depth_m[known] > 0).all()

    def _classes(self, said: dict[str, Any]) -> None:
        assert said["model"] == self._manifest.model_id
        assert {row["class"] for row in said["classes"]} == {*self._manifest.classes}
        probability = [row["probability"] for row in said["classes"]]
        assert probability == sorted(probability, reverse=True)
        assert 0 <= probability[-1] <= probability[0] <= 1
        if self._manifest.task == "classification":
            assert sum(probability) == pytest.approx(1, abs=1e-4)

    def _shares(self, said: dict[str, Any]) -> None:
        assert said["model"] == self._manifest.model_id
        assert [*said["labels"].values()] == ["none", *self._manifest.classes]
        assert sum(row["share"] for row in said["classes"]) == pytest.approx(1, abs=1e-4)

    def _labels(self, image: Image) -> None:
        assert (image.height, image.width, image.encoding) == (HEIGHT_PX, WIDTH_PX, "mono8")
        assert max(image.data) <= len(self._manifest.classes)


def check_objects(rows: list[dict[str, Any]], classes: tuple[str, ...]) -> None:
    assert rows
    for row in rows:
        left, top, right, bottom = row["box_xyxy_px"]
        assert 0 <= left < right <= WIDTH_PX
        assert 0 <= top < bottom <= HEIGHT_PX
        assert 0 <= row["score"] <= 1
        assert row["class"] in classes


def numbers(image: Image) -> np.ndarray:
    return np.frombuffer(image.data, np.float32)


def parameters_for(manifest: ModelManifest, folder: Path, answers: Answers) -> dict[str, Path]:
    """Under which parameters the node is to serve the bundle."""
    if manifest.task not in PARAMETER:
        pytest.fail(
            f"a bundle of the task {manifest.task!r}: say in PARAMETER of this test which of "
            f"{', '.join(MODEL_PARAMETERS)} serves it, and in Answers what comes of it"
        )
    serving = {PARAMETER[manifest.task]: folder}
    return serving | ({"feature_model": folder} if "features" in answers.shape_of else {})


def send(r: Rig, frame: Frame) -> int:
    """Publish a frame as seen now; returns its stamp."""
    stamp_ns = r.camera.now_ns()
    for topic, data in serialized(frame).items():
        publisher = {"camera_info": "info"}.get(topic, topic)
        getattr(r.camera, publisher).publish(restamped(data, stamp_ns))
    return stamp_ns


def serve_the_recording(
    folder: Path, native_bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Frames of the recording, one after the other, to a node with this bundle."""
    manifest = find_bundle(folder).manifest
    answers = Answers(manifest, folder)
    serving = parameters_for(manifest, folder, answers)
    frames = load_frames(None, count=FRAMES, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    with (
        caplog.at_level(logging.ERROR),
        rig(**UNSURE, **({"model": native_bundle} | serving)) as r,
    ):
        heard = Heard(r, answers.topics)
        wait_for_readers(r)
        # The first picture may come before its intrinsics.
        first_ns = send(r, frames[0])
        r.wait_for(lambda: r.has_result(first_ns), timeout_s=60)
        for frame in frames:
            stamp_ns = send(r, frame)
            r.wait_for(lambda s=stamp_ns: r.has_result(s) and not heard.missing(s), timeout_s=60)
            result = next(x for x in r.monitor.heard.results if x["stamp_ns"] == stamp_ns)
            assert result["frame_id"] == frame.frame_id
            answers.check_result(result)
            answers.check(heard, stamp_ns, frame.frame_id)
    assert heard.errors == []
    # Loggers of torch with a level of their own write traces here too.
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("model", different_when_tiny())
def test_a_tiny_one_is_served(
    model: str,
    bundle_of: Callable[[Variant], Path],
    native_bundle: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    serve_the_recording(bundle_of(Variant(model)), native_bundle, caplog)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", VISION_MODELS)
def test_one_of_its_own_size_is_served(
    model: str,
    bundle_of: Callable[[Variant], Path],
    native_bundle: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    serve_the_recording(bundle_of(Variant(model, full=True)), native_bundle, caplog)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", list(ENCODERS))
def test_every_encoder_is_served_as_a_classifier_and_its_features(
    encoder: str,
    bundle_of: Callable[[Variant], Path],
    native_bundle: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    needed = ENCODERS.get(encoder).needs
    if needed:
        declare_operators()
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    serve_the_recording(bundle_of(Variant("classifier", encoder=encoder)), native_bundle, caplog)


def test_what_is_left_out_acts_and_does_not_see() -> None:
    """A model whose bundle the service would run must not be passed over in silence."""
    left_out = [MODELS.get(name) for name in MODELS if not sees(name)]
    assert [card.name for card in left_out if card.serving and card.serving.format] == []
