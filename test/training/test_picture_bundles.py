"""Bundles of classifiers and segmentation models: exported, verified, decoded, measured."""

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from picture_sets import picture_recipe, write_folders, write_label_pngs
from runs import Rows, tiny_spec
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.explain.asking import ask
from robot_vision.explain.heat import ExplainError
from robot_vision.explain.opening.subject import open_subject
from robot_vision.explain.targets import ClassTarget
from robot_vision.export.bundle import export_run
from robot_vision.export.measuring.measure import measure_bundle
from robot_vision.export.measuring.picture_bundle import PictureModel
from robot_vision.export.run_folder import open_run
from robot_vision.formats.classification import decode_classification
from robot_vision.formats.semantic import decode_semantic
from robot_vision.model_store.store import find_bundle
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe_file import changed


def exported(task: str, model: str, data: Path, folder: Path) -> tuple[Path, Path]:
    """A run of few steps, and its bundle."""
    recipe = picture_recipe(task, model, data, data, folder / "cache")
    train(changed(recipe, {"spec": tiny_spec(model)}), folder / "run", reporter=Rows())
    bundle = export_run(folder / "run", folder / "bundle")
    assert bundle.headline.startswith({"classification": "top1", "segmentation": "miou"}[task])
    return folder / "run", folder / "bundle"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("set") / "colors", images=4)


@pytest.fixture(scope="module", params=["simple-cnn", "classifier"])
def classifier(
    request: pytest.FixtureRequest, folders: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    return exported("classification", request.param, folders, tmp_path_factory.mktemp("cls"))


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ("background", "bright")
    return write_label_pngs(tmp_path_factory.mktemp("set") / "halves", images=4, names=names)


@pytest.fixture(scope="module")
def unet(halves: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return exported("segmentation", "unet", halves, tmp_path_factory.mktemp("seg"))


def held_out_rgb(run: Path, count: int) -> list[np.ndarray]:
    trained = open_run(run, weights="weights.safetensors")
    return [inputs["rgb"][0] for inputs in trained.held_out.inputs("model.onnx", count)]


def torch_answer(run: Path, rgb: np.ndarray) -> torch.Tensor:
    graph = open_run(run, weights="weights.safetensors").graphs[0]
    with torch.no_grad():
        found = graph.module.eval()(torch.from_numpy(rgb[None]))
    return dict(zip(graph.outputs, found, strict=True))["output"]


def test_a_classifier_is_decoded_as_torch_answers(classifier: tuple[Path, Path]) -> None:
    run, folder = classifier
    bundle = find_bundle(folder)
    assert bundle.manifest.task == "classification"
    assert bundle.manifest.classes == ("blue", "green", "red")
    assert bundle.manifest.feature_stride_px == 16
    model = PictureModel(bundle)
    for rgb in held_out_rgb(run, 5):
        said = model.run(rgb)
        found = decode_classification(said.outputs, said.manifest, stamp_ns=0)
        truth = torch_answer(run, rgb).softmax(dim=1)[0].numpy()
        assert found.probability == pytest.approx(truth[found.class_id], abs=1e-5)
        assert int(found.class_id[0]) == int(truth.argmax())


def test_a_label_map_is_decoded_as_torch_answers(unet: tuple[Path, Path]) -> None:
    run, folder = unet
    bundle = find_bundle(folder)
    assert bundle.manifest.classes == ("bright",)
    assert bundle.manifest.reading.background == "first"
    model = PictureModel(bundle)
    for rgb in held_out_rgb(run, 4):
        said = model.run(rgb)
        found = decode_semantic(said.outputs, said.manifest, stamp_ns=0, placement=said.placement)
        share = torch_answer(run, rgb).softmax(dim=1)[0]
        assert found.probability is not None
        assert np.abs(found.probability - share.max(dim=0).values.numpy()).max() < 1e-5
        unsure = (share[0] - share[1]).abs().numpy() < 1e-4
        assert ((found.class_id == share.argmax(dim=0).numpy() - 1) | unsure).all()


def test_they_are_verified_and_evaluated_by_the_commands(
    classifier: tuple[Path, Path],
    folders: Path,
    unet: tuple[Path, Path],
    halves: Path,
    tmp_path: Path,
) -> None:
    for name, (_, bundle), data, figure in (
        ("one", classifier, folders, "top1"),
        ("other", unet, halves, "miou"),
    ):
        verified = CliRunner().invoke(app, ["models", "verify", str(bundle)])
        assert verified.exit_code == 0, verified.output
        out = tmp_path / name
        arguments = ["evaluate", str(bundle), "--data", str(data), "--out", str(out)]
        result = CliRunner().invoke(app, [*arguments, "--worst", "3"])
        assert result.exit_code == 0, result.output
        assert figure in result.output
        sheet = cv2.imread(str(out / "gallery.png"))
        assert sheet is not None
        assert sheet.std() > 10


def test_figures_of_the_bundle_are_those_of_its_export(
    unet: tuple[Path, Path], halves: Path, tmp_path: Path
) -> None:
    _, folder = unet
    bundle = find_bundle(folder)
    measured = measure_bundle(bundle, halves, out=tmp_path, images=0, worst=2)
    # One reads the truth at full size, the other at that of training.
    assert measured.metrics["miou"] == pytest.approx(bundle.manifest.metrics["miou"], abs=0.05)
    assert measured.files == ("metrics.json", "gallery.png")


def test_a_set_of_other_classes_is_refused(classifier: tuple[Path, Path], tmp_path: Path) -> None:
    other = write_folders(tmp_path / "two", images=1, names=("blue", "red"))
    with pytest.raises(ConfigError, match=r"classes blue, red; expected .*blue, green, red"):
        measure_bundle(find_bundle(classifier[1]), other, out=tmp_path, images=0, worst=2)


def test_classes_of_pixels_are_explained_by_the_same_names_in_run_and_bundle(
    unet: tuple[Path, Path],
) -> None:
    """A bundle's classes do not have the background, which is a row of the scores."""
    run, bundle = unet
    rgb = held_out_rgb(run, 1)[0]
    shares = []
    for folder in (run, bundle):
        subject = open_subject(str(folder))
        assert subject.classes == ("background", "bright")
        targets = [ask(subject, rgb, "").target]
        with suppress(ExplainError):  # of few steps: the class may be nowhere
            targets.append(ask(subject, rgb, "class:bright").target)
        shares.append([(one.words, one.row) for one in targets if isinstance(one, ClassTarget)])
    assert shares[0] == shares[1]
    assert ("bright", 1) in shares[1] or shares[1] == [("background", 0)]
