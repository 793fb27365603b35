"""From a run's folder to a bundle that is served: one way for all tasks, and what it refuses."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import yaml

from robot_vision.backends import load_backend
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.parameters.params import Params, param
from robot_vision.export import bundle as exporter
from robot_vision.export.bundle import Exported, ExportOptions, export_run
from robot_vision.model_store.store import MANIFEST_FILE, find_bundle, write_bundle
from robot_vision.models.card import Card, Size
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import Weights, read_weights, write_weights
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import TASKS, HeldOut, Predictor, Task

CLASSES = ("cup", "bowl", "can")
SIZE = Size(width_px=96, height_px=64)


class Options(Params):
    width_px: int = param(SIZE.width_px, "width", ge=32)
    height_px: int = param(SIZE.height_px, "height", ge=32)


class NoiseHeldOut(HeldOut):
    """Noise in the shapes of a card's graphs; keeps what it was asked to write."""

    written: ClassVar[dict[str, Any]] = {}

    def __init__(self, card: Card[Any], size: Size | None, classes: tuple[str, ...]) -> None:
        self.size, self._card, self._classes = size, card, classes

    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        assert self._card.serving is not None
        shown = self.size or Size(width_px=0, height_px=0)
        model = self._card.build(self._card.tiny)
        graphs = self._card.serving.graphs(model, self._card.tiny, shown)
        example = next(g.example for g in graphs if g.file == graph)
        draw = torch.Generator().manual_seed(0)
        for _ in range(min(count, 3)):
            sample = {}
            for name, tensor in example.items():
                one = tensor[:1]
                if one.is_floating_point():
                    one = one + torch.rand(one.shape, generator=draw)
                sample[name] = one.numpy()
            yield sample

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        found = {f: p(next(self.inputs(f, 1))) for f, p in predictors.items()}
        return {"score": 0.5, "roles": ", ".join(r for out in found.values() for r in out)}

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        type(self).written = dict(manifest_values)
        if manifest_values["image"] is None:
            return folder
        values = dict(manifest_values)
        (file,) = values.pop("files")
        manifest = ModelManifest(
            task="multitask", input=values.pop("image"), file=file, classes=self._classes, **values
        )
        write_bundle(folder, manifest, folder / file)
        return folder / MANIFEST_FILE


class NoiseTask(Task[Any]):
    """No training; held-out noise."""

    options = Options
    metric = "score"

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        options = Options(width_px=size.width_px, height_px=size.height_px)
        return recipe.model_copy(update={"options": options})

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        del data
        card, options = MODELS.get(recipe.model), recipe.options
        size = Size(width_px=options.width_px, height_px=options.height_px)
        is_seen = card.serving is not None and card.serving.image is not None
        return NoiseHeldOut(card, size if is_seen else None, tuple(travels.get("classes", ())))

    def batches(self, first_step: int, part: float) -> Any:
        raise NotImplementedError

    def loss(self, answer: Any, batch: Any) -> Any:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def task(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("perception", "policy"):
        len(TASKS)  # finds the tasks there are, before one is replaced
        monkeypatch.setitem(TASKS._items, name, NoiseTask)


def write_run(folder: Path, model: str, *, seed: int = 0) -> Path:
    """What training leaves, of the card's tiny model."""
    folder.mkdir(parents=True, exist_ok=True)
    card = MODELS.get(model)
    torch.manual_seed(seed)
    tensors = card.build(card.tiny).state_dict()
    spec = card.tiny.model_dump(mode="json")
    described = {"task": card.task, "model": model, "spec": spec, "options": {}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(described))
    (folder / "curves.csv").write_text("step,minutes\n10,0.1\n20,0.25\n")
    file = folder / "weights.safetensors"
    travels = {"classes": list(CLASSES)} if card.task == "perception" else {"words": ["go"]}
    write_weights(
        file, Weights(file=file, tensors=tensors, model=model, spec=spec, travels=travels)
    )
    return folder


@pytest.fixture(scope="module")
def native_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "native", "native-s")


@pytest.fixture(scope="module")
def policy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "policy", "policy-s")


def test_a_run_becomes_a_bundle_that_both_back_ends_serve(
    native_run: Path, tmp_path: Path
) -> None:
    exported = export_run(native_run, tmp_path / "seen", ExportOptions(version="3"))
    assert exported.model_id == "seen@3"
    assert exported.headline == "score 0.5"
    assert exported.metrics["onnx_against_torch_max"] <= 1e-4
    assert exported.metrics["trained_steps"] == 20
    bundle = find_bundle(tmp_path / "seen")
    manifest = bundle.manifest
    assert (manifest.architecture, manifest.format) == ("native-s", "native")
    assert manifest.outputs["depth_m"] == "metric_depth_m"
    assert (manifest.input.width_px, manifest.input.height_px) == (96, 64)
    assert "tabletop" in manifest.limits
    kept = read_weights(tmp_path / "seen" / "model.safetensors")
    assert kept.travels == {"classes": list(CLASSES)}
    given = next(NoiseHeldOut(MODELS.get("native-s"), SIZE, CLASSES).inputs("model.onnx", 1))
    onnx = load_backend(bundle, device="cpu", threads=1)
    by_torch = manifest.model_copy(update={"file": "model.safetensors"})
    backend = load_backend(replace(bundle, manifest=by_torch), device="cpu", threads=1)
    one, other = onnx.run(given), backend.run(given)
    assert one.keys() == other.keys()
    np.testing.assert_allclose(one["scores"], other["scores"], atol=1e-4)


def test_a_policy_becomes_two_graphs(policy_run: Path, tmp_path: Path) -> None:
    exported = export_run(policy_run, tmp_path / "acts", ExportOptions(limits="Only a test."))
    assert exported.metrics["roles"] == "encoding, action, pointers, attention"
    names = {file.name for file in (tmp_path / "acts").iterdir()}
    assert names == {"language.onnx", "policy.onnx", "policy.safetensors"}
    written = NoiseHeldOut.written
    assert written["files"] == ("language.onnx", "policy.onnx")
    assert (written["limits"], written["format"], written["image"]) == ("Only a test.", "", None)
    half = read_weights(tmp_path / "acts" / "policy.safetensors").tensors
    assert {t.dtype for t in half.values()} == {torch.float16}


def test_torchscript_lies_beside_onnx_for_programs_that_embed_it(
    policy_run: Path, tmp_path: Path
) -> None:
    exported = export_run(policy_run, tmp_path / "acts", ExportOptions(torchscript=True))
    assert exported.metrics["torchscript_against_torch_max"] <= 1e-4
    names = {file.name for file in (tmp_path / "acts").glob("*.pt")}
    assert names == {"language.torchscript.pt", "policy.torchscript.pt"}


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_policy_of_fewer_bits_is_proven_too(
    policy_run: Path, tmp_path: Path, precision: exporter.Precision
) -> None:
    export_run(policy_run, tmp_path / "acts", ExportOptions(precision=precision))
    assert NoiseHeldOut.written["precision"] == precision
    assert not list((tmp_path / "acts").glob("*.fp32.onnx"))


def test_an_export_that_fails_leaves_the_bundle_that_was_there(
    native_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_run(native_run, tmp_path / "seen", ExportOptions(version="1"))
    monkeypatch.setattr(exporter, "TOLERANCE", 1e-12)
    with pytest.raises(BundleError, match="differs from torch"):
        export_run(native_run, tmp_path / "seen", ExportOptions(version="2"))
    assert find_bundle(tmp_path / "seen").manifest.version == "1"
    assert [file.name for file in tmp_path.iterdir()] == ["seen"]


def test_a_policy_that_fewer_bits_change_is_refused(
    policy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(exporter.MOST_DRIFT, "int8", 1e-6)
    with pytest.raises(ConfigError, match=r"'policy-s' cannot be exported in int8: .* 1e-06; exp"):
        export_run(policy_run, tmp_path / "acts", ExportOptions(precision="int8"))
    assert not (tmp_path / "acts" / "language.onnx").exists()


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_perception_of_fewer_bits_is_measured(
    native_run: Path, tmp_path: Path, precision: exporter.Precision
) -> None:
    export_run(native_run, tmp_path / "seen", ExportOptions(precision=precision))
    assert find_bundle(tmp_path / "seen").manifest.precision == precision


def test_another_size_and_a_mean_of_two(native_run: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", "native-s", seed=1) / "weights.safetensors"
    size = Size(width_px=128, height_px=64)
    exported = export_run(
        native_run, tmp_path / "seen", ExportOptions(size=size, averaged_with=other)
    )
    assert isinstance(exported, Exported)
    assert find_bundle(tmp_path / "seen").manifest.input.width_px == 128
    ours, mean = (
        read_weights(folder / name).tensors["features.weight"]
        for folder, name in (
            (native_run, "weights.safetensors"),
            (tmp_path / "seen", "model.safetensors"),
        )
    )
    assert torch.allclose(
        mean, torch.lerp(ours, read_weights(other).tensors["features.weight"], 0.5)
    )


def test_a_report_is_quoted(policy_run: Path, tmp_path: Path) -> None:
    report = tmp_path / "evaluation.json"
    report.write_text('{"success": 0.9}')
    options = ExportOptions(evaluation=report)
    assert export_run(policy_run, tmp_path / "acts", options).metrics["success"] == 0.9
    report.write_text("[1]")
    with pytest.raises(ConfigError, match="is not a report"):
        export_run(policy_run, tmp_path / "acts", options)


def test_input_that_is_not_a_run_is_named(native_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not a run .*it has no recipe\.yaml"):
        export_run(tmp_path, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"cannot read the weights .*best\.safetensors"):
        export_run(native_run, tmp_path / "out", ExportOptions(weights="best.safetensors"))
    bare = tmp_path / "bare"
    shutil.copytree(native_run, bare)
    (bare / "curves.csv").unlink()
    with pytest.raises(ConfigError, match=r"cannot read the log .*curves\.csv"):
        export_run(bare, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_graph_that_differs_is_not_a_bundle(
    native_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporter, "TOLERANCE", -1.0)
    with pytest.raises(BundleError, match="differs from torch"):
        export_run(native_run, tmp_path / "out")
    assert not (tmp_path / "out" / MANIFEST_FILE).exists()


def test_a_model_that_is_not_served_is_refused(
    native_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = replace(MODELS.get("native-s"), serving=None)
    monkeypatch.setitem(MODELS._items, "native-s", card)
    with pytest.raises(ConfigError, match="'native-s' is not served: its card names no graph"):
        export_run(native_run, tmp_path / "out")
