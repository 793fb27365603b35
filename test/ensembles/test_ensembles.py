"""Ensembles and views of a picture as bundles: fused by the rules, and served as any other."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from picture_models import HEIGHT, WIDTH, color_classifier, color_segmenter
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.manifests.manifest import ModelInput, ModelManifest
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.ensembles.build import Ensemble, build_ensemble
from robot_vision.ensembles.fuse_boxes import FuseBoxes
from robot_vision.ensembles.fuse_maps import FuseDepth
from robot_vision.ensembles.views import View, Views, back_in_input, coverage, parse_view
from robot_vision.model_store.store import Bundle, find_bundle, write_bundle
from robot_vision.perception.model import load_model
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.perception.whole_picture import classification_of, segmentation_of
from robot_vision.replay.reading.example_frames import load_frames

FLIP, SMALLER, CROP = View(flip=True), parse_view("scale:0.5"), parse_view("crop:0.25,0,0.5")
DETECTOR = ModelManifest(
    name="boxes",
    task="detection",
    format="yolov8",
    input=ModelInput(name="images", width_px=100, height_px=100),
    classes=("ball", "mug"),
)


def head(*rows: tuple[float, float, float, float, float, float]) -> torch.Tensor:
    """An output of format yolov8: corners, then scores of ball and mug."""
    found = torch.zeros(1, 6, len(rows))
    for number, (x0, y0, x1, y1, ball, mug) in enumerate(rows):
        found[0, :, number] = torch.tensor(
            [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, ball, mug]
        )
    return found


def fused(views: list[View], outputs: list[torch.Tensor], weights: list[float]) -> np.ndarray:
    """Rows of corners, ball and mug, the surest first and each place once."""
    module = FuseBoxes([(DETECTOR, view) for view in views], weights, iou=0.55)
    out = module(*outputs)[0].T.numpy()
    rows = np.concatenate(
        [out[:, :2] - out[:, 2:4] / 2, out[:, :2] + out[:, 2:4] / 2, out[:, 4:]], axis=1
    )
    rows = rows[np.argsort(-rows[:, 4:].max(axis=1), kind="stable")]
    _, first = np.unique(rows.round(3), axis=0, return_index=True)
    return rows[sorted(first)]


def test_boxes_are_fused_by_score_and_agreement() -> None:
    one = head((10, 10, 30, 30, 0.8, 0.0))
    other = head((12, 10, 32, 30, 0.4, 0.0))
    (row, *_) = fused([View(), View()], [one, other], [1.0, 1.0])
    assert row[:4] == pytest.approx(
        [(0.8 * 10 + 0.4 * 12) / 1.2, 10, (0.8 * 30 + 0.4 * 32) / 1.2, 30]
    )
    assert row[4:] == pytest.approx([0.6, 0.0])


def test_what_one_member_sees_alone_is_less_sure() -> None:
    seen, nothing = head((10, 10, 30, 30, 0.8, 0.0)), head((0, 0, 0, 0, 0.0, 0.0))
    other_class = head((10, 10, 30, 30, 0.0, 0.9))
    assert fused([View(), View()], [seen, nothing], [1.0, 1.0])[0][4] == pytest.approx(0.4)
    assert fused([View(), View()], [seen, nothing], [3.0, 1.0])[0][4] == pytest.approx(0.6)
    rows = fused([View(), View()], [seen, other_class], [1.0, 1.0])
    assert sorted(rows[:, 4:].max(axis=1))[-2:] == pytest.approx([0.4, 0.45])


def test_boxes_of_views_come_back() -> None:
    plain = head((10, 20, 30, 40, 0.8, 0.0))
    flipped = head((70, 20, 90, 40, 0.8, 0.0))
    smaller = head((30, 35, 40, 45, 0.8, 0.0))
    for view, output in ((FLIP, flipped), (SMALLER, smaller)):
        row = fused([View(), view], [plain, output], [1.0, 1.0])[0]
        assert row == pytest.approx([10, 20, 30, 40, 0.8, 0.0], abs=1e-4)


def test_a_crop_is_not_asked_for_what_it_does_not_show() -> None:
    beyond = head((2, 60, 12, 80, 0.8, 0.0))
    nothing = head((0, 0, 0, 0, 0.0, 0.0))
    assert fused([View(), CROP], [beyond, nothing], [1.0, 1.0])[0][4] == pytest.approx(0.8)
    cut = head((0, 20, 30, 60, 0.9, 0.0))  # at the crop's own edge: half of a thing
    assert fused([View(), CROP], [nothing, cut], [1.0, 1.0])[0][4] == 0.0


@pytest.mark.parametrize("view", [FLIP, SMALLER, CROP])
def test_maps_of_a_view_come_back(view: View) -> None:
    spec = ModelInput(name="images", width_px=80, height_px=60, pad_value=0, scale=1.0)
    y, x = np.mgrid[0:60, 0:80].astype(np.float32)
    picture = torch.from_numpy(np.stack([x, y, np.ones_like(x)])[None])
    (shown,) = Views(spec, [view])(picture)
    back, seen = back_in_input(shown, view), coverage(view, 60, 80)
    inner = torch.nn.functional.avg_pool2d(seen, 5, 1, 2) > 0.999
    inner[..., :3, :] = inner[..., -3:, :] = inner[..., :3] = inner[..., -3:] = False
    assert inner.float().mean() > 0.15
    assert (back - picture).abs()[inner.expand_as(back)].max() < 1.0


def test_a_magnified_view_looks_nearer_unless_the_lens_is_known() -> None:
    far = torch.full((1, 1, 8, 8), 2.0)
    near = torch.full((1, 1, 8, 8), 1.0)
    blind = DETECTOR.model_copy(update={"task": "depth", "format": "depth_metric"})
    depth = FuseDepth([(blind, View()), (blind, CROP)], [1.0, 1.0])(far, near)
    assert depth.numpy() == pytest.approx(2.0, rel=1e-4)


def bundle_of(recipe: dict[str, Any], folder: Path) -> Bundle:
    usual: dict[str, Any] = {"views": (View(), FLIP), "weights": (1.0,)}
    return build_ensemble(Ensemble(**{**usual, **recipe}), folder, name=folder.name)


def shown(bundle: Bundle, rgb: np.ndarray) -> Any:
    model = load_model(bundle, ServiceConfig(device="cpu", threads=1))
    return model.run(Frame(stamp_ns=0, frame_id="", rgb=rgb))


def picture() -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.integers(40, 230, (HEIGHT, WIDTH, 3), np.uint8)


def test_classifiers_and_segmenters_answer_as_their_members_would(tmp_path: Path) -> None:
    classifier = find_bundle(color_classifier(tmp_path / "classes"))
    twin_manifest = classifier.manifest.model_copy(update={"name": "twin", "licence": "MIT"})
    twin = write_bundle(tmp_path / "twin", twin_manifest, classifier.model_path)
    joint = bundle_of({"bundles": (classifier, twin), "weights": (2.0, 1.0)}, tmp_path / "joint")
    assert joint.manifest.licence == "unknown and MIT"
    one = classification_of(shown(classifier, picture()), stamp_ns=0)
    both = classification_of(shown(joint, picture()), stamp_ns=0)
    assert both.probability == pytest.approx(one.probability, abs=1e-5)
    segmenter = find_bundle(color_segmenter(tmp_path / "parts"))
    both_ways = bundle_of({"bundles": (segmenter,)}, tmp_path / "both_ways")
    parts = segmentation_of(shown(segmenter, picture()), stamp_ns=0)
    fused_parts = segmentation_of(shown(both_ways, picture()), stamp_ns=0)
    assert (parts.class_id == fused_parts.class_id).all()
    assert fused_parts.probability == pytest.approx(parts.probability, abs=1e-5)


def test_the_shipped_detector_with_views_serves_as_any_other(tmp_path: Path) -> None:
    command = ["models", "ensemble", "native-s", "--view", "flip", "--view", "scale:0.8"]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "views")])
    assert result.exit_code == 0, result.output
    (frame,) = load_frames(None, count=1, width_px=424, height_px=320)
    found = []
    for model in ("native-s", str(tmp_path / "views")):
        perceiver = build_perceiver(ServiceConfig(model=model, threads=1))
        found.append(perceiver.perceive(frame).detections)
        perceiver.close()
    plain, joint = found
    iou = pairwise_iou(plain.box_xyxy_px.astype(float), joint.box_xyxy_px.astype(float))
    same = plain.class_id[:, None] == joint.class_id
    assert (np.where(same, iou, 0).max(axis=1) > 0.7).mean() >= 0.8
    assert len(joint.score) <= len(plain.score) + 3


def test_depth_at_the_edge_of_a_crop_is_not_pulled_towards_one_metre() -> None:
    lens = DETECTOR.input.model_copy(update={"focal_name": "focal"})
    knows = DETECTOR.model_copy(update={"task": "depth", "format": "depth_metric", "input": lens})
    far = torch.full((1, 1, 80, 80), 4.0)
    unaligned = parse_view("crop:0.105,0.105,0.7")
    depth = FuseDepth([(knows, View()), (knows, unaligned)], [1.0, 1.0])(far, far)
    assert depth.numpy() == pytest.approx(4.0, rel=1e-4)


def test_members_may_call_their_inputs_differently(tmp_path: Path) -> None:
    one = find_bundle(color_classifier(tmp_path / "one"))
    graph = onnx.load(one.model_path)
    graph.graph.input[0].name = graph.graph.node[0].input[0] = "pixels"
    onnx.save(graph, tmp_path / "other.onnx")
    fed = one.manifest.input.model_copy(update={"name": "pixels"})
    manifest = one.manifest.model_copy(update={"name": "other", "input": fed})
    other = write_bundle(tmp_path / "other", manifest, tmp_path / "other.onnx")
    joint = bundle_of(
        {"bundles": (one, other), "weights": (1.0, 1.0), "views": (View(),)}, tmp_path / "joint"
    )
    alone = classification_of(shown(one, picture()), stamp_ns=0)
    both = classification_of(shown(joint, picture()), stamp_ns=0)
    assert both.probability == pytest.approx(alone.probability, abs=1e-5)


def test_what_cannot_be_joined_is_refused(tmp_path: Path) -> None:
    classifier = find_bundle(color_classifier(tmp_path / "a"))
    segmenter = find_bundle(color_segmenter(tmp_path / "b"))
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="expected 2 to 32"):
        bundle_of({"bundles": (classifier,), "views": (View(),)}, out)
    with pytest.raises(ConfigError, match="weights"):
        bundle_of({"bundles": (classifier,), "weights": (0.0,)}, out)
    with pytest.raises(BundleError, match="different"):
        bundle_of({"bundles": (classifier, segmenter), "weights": (1.0, 1.0)}, out)
    pair = (classifier, find_bundle("native-s"))
    with pytest.raises(BundleError, match="differ in their input"):
        bundle_of({"bundles": pair, "weights": (1.0, 1.0)}, out)
    with pytest.raises(ConfigError, match="weights"):
        bundle_of({"bundles": (classifier,), "weights": (float("nan"),)}, out)
    with pytest.raises(ConfigError, match="a, a: one is given twice"):
        bundle_of({"bundles": (classifier,) * 2, "weights": (1.0, 1.0)}, out)
    hands = find_bundle(
        color_classifier(tmp_path / "hands", classes=("left_hand", "right_hand", "none"))
    )
    with pytest.raises(ConfigError, match="exchanges 'left_hand' and 'right_hand'"):
        bundle_of({"bundles": (hands,)}, out)
    assert not out.exists()


@pytest.mark.parametrize("text", ["turn", "scale:9", "scale:x", "crop:0.5,0,0.7", "flip:1", ""])
def test_views_of_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected flip, scale:0\.8"):
        parse_view(text)
