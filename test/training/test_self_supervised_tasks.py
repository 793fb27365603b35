"""SimCLR, DINO and MAE: runs, what is kept, collapse, weights for other models, bundles."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from native_bundle import make_native_bundle
from picture_sets import picture_recipe, write_folders
from runs import Rows, assert_same, tiny_spec
from safetensors.torch import load_file
from torch import Tensor, nn
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.export.bundle import ExportOptions, export_run
from robot_vision.export.measuring.features import settle_norms
from robot_vision.export.measuring.measure import measure_bundle
from robot_vision.model_store.store import find_bundle
from robot_vision.models.card import Size
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.registry import MODELS
from robot_vision.pipeline import build_pipeline
from robot_vision.training.data.caches.crops import CropOptions
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import changed, recipe_of
from robot_vision.training.engine.run import Run, build_run
from robot_vision.training.engine.stepping.step import DivergedError
from robot_vision.training.self_supervised.attention import look, otsu_foreground, overlap
from robot_vision.training.self_supervised.collapse import (
    CollapsedError,
    CollapseOptions,
    CollapseWatch,
)
from robot_vision.training.self_supervised.labelled import Labelled
from robot_vision.training.self_supervised.task import SelfSupervisedTask
from robot_vision.training.tasks.dino import DinoTask
from robot_vision.training.tasks.simclr import SimClrTask

TASKS = ("simclr", "dino", "mae")


@pytest.fixture(scope="module")
def colors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("set") / "colors", images=6)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


def recipe(task: str, frames: Path, cache: str, *, judged: bool = True, **values: Any) -> Recipe:
    """Four steps in rounds of two, evaluated after each; its labels are its frames'."""
    labelled = {"labelled_set": str(frames), "labelled_val_set": str(frames)} if judged else {}
    options = {
        "train_sets": [str(frames)],
        "frame": {"width_px": 48, "height_px": 32},
        "cache_dir": cache,
        **labelled,
    }
    run = {"steps": 4, "round_steps": 2, "batch_size": 6, "rounds_per_evaluation": 1}
    made = recipe_of(
        {
            "task": task,
            "model": task,
            "spec": tiny_spec(task),
            "run": run,
            "optimizer": {"warmup_steps": 1},
            "options": options,
        }
    )
    return changed(made, values)


@pytest.mark.parametrize("task", TASKS)
def test_it_is_judged_from_the_start_and_ends_with_its_best(
    task: str, colors: Path, cache: str, tmp_path: Path
) -> None:
    rows = Rows()
    train(recipe(task, colors, cache), tmp_path, reporter=rows)
    assert any(note == "18 frames" for note in rows.notes)
    begun = next(note for note in rows.notes if note.startswith("it begins with"))
    assert "knn_top1" in begun
    assert "spread" in begun
    for row in rows.rows:
        assert 0 <= row["knn_top1"] <= 1
        assert row["spread"] > 0
        assert ("teacher_entropy" in row) == (task == "dino")
    ends, best = (load_file(tmp_path / f"{n}.safetensors") for n in ("weights", "best"))
    assert all(torch.equal(tensor, best[name]) for name, tensor in ends.items())


def test_tuning_that_ends_below_its_start_keeps_the_start_and_says_so(
    colors: Path, cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    falling = iter((0.9, 0.6, 0.5))
    monkeypatch.setattr(
        SelfSupervisedTask, "_figures", lambda *_: {"spread": 0.5, "knn_top1": next(falling)}
    )
    asked = recipe("simclr", colors, cache)
    start = build_run(asked).averaged.module.state_dict()
    rows = Rows()
    train(asked, tmp_path, reporter=rows)
    assert any("no evaluation is better than the knn_top1 of 0.9" in note for note in rows.notes)
    ends = load_file(tmp_path / "weights.safetensors")
    assert all(torch.equal(tensor, ends[name]) for name, tensor in start.items())
    last = load_file(tmp_path / "last.safetensors")
    assert any(not torch.equal(tensor, ends[name]) for name, tensor in last.items())


def test_without_labels_the_last_weights_are_kept(
    colors: Path, cache: str, tmp_path: Path
) -> None:
    rows = Rows()
    train(recipe("mae", colors, cache, judged=False), tmp_path, reporter=rows)
    assert any("nothing shows whether the encoder improves" in note for note in rows.notes)
    assert not (tmp_path / "best.safetensors").exists()
    assert (tmp_path / "weights.safetensors").exists()


def test_an_encoder_that_is_made_to_collapse_stops_the_run(
    colors: Path, cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is pulled to one place, and nothing apart."""

    def answer(_task: SimClrTask, model: nn.Module, batch: tuple[Tensor, ...]) -> Any:
        return tuple(model(view)["embedding"] for view in batch)

    def loss(_task: SimClrTask, answer: Any, _batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        apart = torch.cat(answer)
        total = (apart - apart[:1].detach()).square().sum(dim=1).mean()
        return total, {}

    monkeypatch.setattr(SimClrTask, "answer", answer)
    monkeypatch.setattr(SimClrTask, "loss", loss)
    asked = recipe(
        "simclr",
        colors,
        cache,
        **{
            "run.steps": 400,
            "run.round_steps": 10,
            "run.ema_decay": 0.5,
            "optimizer.learning_rate": 0.02,
            "options.collapse.spread": 0.1,
        },
    )
    with pytest.raises(
        CollapsedError, match=r"spread of embeddings.*options\.views.*best knn_top1"
    ):
        train(asked, tmp_path, reporter=Rows())
    ends, best = (load_file(tmp_path / f"{n}.safetensors") for n in ("weights", "best"))
    assert_same(ends, best)
    assert any(
        not torch.equal(t, best[n]) for n, t in load_file(tmp_path / "last.safetensors").items()
    )


def test_without_labels_a_collapse_says_that_nothing_is_kept() -> None:
    watch = CollapseWatch(CollapseOptions(evaluations=1))
    with pytest.raises(CollapsedError, match=r"without options\.labelled_set no earlier ones"):
        watch.check({"spread": 0.5, "projection_spread": 0.001})


def test_one_frame_is_not_enough(cache: str, tmp_path: Path) -> None:
    (frames := tmp_path / "one").mkdir()
    cv2.imwrite(str(frames / "only.png"), np.zeros((32, 48, 3), np.uint8))
    with pytest.raises(ConfigError, match="1 frame; expected two or more"):
        build_run(recipe("mae", frames, cache, judged=False))


def test_a_batch_must_hold_something_to_be_contrasted_with(colors: Path, cache: str) -> None:
    with pytest.raises(ConfigError, match=r"run\.batch_size = 1 .* expected two or more"):
        build_run(recipe("simclr", colors, cache, **{"run.batch_size": 1}))
    larger = build_run(recipe("simclr", colors, cache, **{"run.batch_size": 20}))
    assert any("a batch of 20 from 18 frames" in note for note in larger.notes)


def test_views_too_small_to_hide_a_patch_are_refused(
    colors: Path, cache: str, tmp_path: Path
) -> None:
    asked = recipe("mae", colors, cache, **{"options.view_px": 16})
    with pytest.raises(ConfigError, match=r"1 patches of 16 px.*raise options\.view_px"):
        train(asked, tmp_path, reporter=Rows())


def test_a_loss_that_is_no_number_stops_the_run(
    colors: Path, cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its gradient may be zero, and the weights then look sound."""

    def loss(_task: SimClrTask, answer: Any, _batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        return answer[0].sum() * 0 + torch.nan, {}

    monkeypatch.setattr(SimClrTask, "loss", loss)
    with pytest.raises(DivergedError, match="the total is nan"):
        train(recipe("simclr", colors, cache), tmp_path, reporter=Rows())


def test_the_teacher_of_dino_is_the_average_and_learns_nothing_itself(
    colors: Path, cache: str
) -> None:
    run = build_run(recipe("dino", colors, cache))
    task = run.task
    assert isinstance(task, DinoTask)
    views = next(task.batches(0, 0.0))
    assert [tuple(view.shape[1:3]) for view in views] == [(64, 64)] * 2 + [(32, 32)] * 4
    said = task.answer(run.model, views)
    assert said.student.shape == (6, 6, 16)
    assert said.teacher.shape == (2, 6, 16)
    total, _ = task.loss(said, views)
    total.backward()
    assert all(p.grad is None for p in run.averaged.parameters())
    assert all(p.grad is not None for p in run.model.parameters() if p.requires_grad)
    task.after_step(run.model, 0)
    expected = 0.1 * said.teacher.mean(dim=(0, 1))
    torch.testing.assert_close(run.beside["centre"].mean, expected)


def convolutional() -> dict[str, Any]:
    encoder = tiny_spec("simclr")["encoder"]
    return {"encoder": encoder, "hidden": 16, "bottleneck": 8, "prototypes": 16}


def test_the_teacher_of_dino_normalises_by_the_batch(colors: Path, cache: str) -> None:
    """As the student does, whose weights it has before the first step."""
    run = build_run(recipe("dino", colors, cache, spec=convolutional() | {"batch_norm": True}))
    before = {name: value.clone() for name, value in run.averaged.named_buffers()}
    said = run.task.answer(run.model, next(run.task.batches(0, 0.0)))
    torch.testing.assert_close(said.teacher, said.student[:2])
    norms = [m for m in run.averaged.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert len(norms) > 2
    assert not any(norm.training for norm in norms)
    for name, value in run.averaged.named_buffers():
        if "running" in name:
            torch.testing.assert_close(value, before[name])


def test_small_views_leave_the_statistics_of_norms_alone(colors: Path, cache: str) -> None:
    run = build_run(recipe("dino", colors, cache, spec=convolutional()))
    norm = next(m for m in run.model.modules() if isinstance(m, nn.BatchNorm2d))
    views = next(run.task.batches(0, 0.0))
    run.task.answer(run.model, (*views[:2], *(torch.full_like(v, 255) for v in views[2:])))
    with_small = norm.running_mean.clone()
    norm.reset_running_stats()
    run.task.answer(run.model, views[:2])
    torch.testing.assert_close(with_small, norm.running_mean)
    assert norm.momentum == 0.1


def test_views_of_a_step_are_those_of_the_seed_and_the_step(colors: Path, cache: str) -> None:
    def views(seed: int, step: int) -> tuple[Tensor, ...]:
        run = build_run(recipe("simclr", colors, cache, **{"run.seed": seed}))
        return next(run.task.batches(step, 0.0))

    one, same = views(1, 3), views(1, 3)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one[0], views(1, 4)[0])
    assert not torch.equal(one[0], views(2, 3)[0])


def test_labelled_sets_go_together(colors: Path, cache: str) -> None:
    with pytest.raises(ConfigError, match="go together"):
        recipe("mae", colors, cache, **{"options.labelled_val_set": ""})


def test_a_masked_autoencoder_needs_an_encoder_that_can_leave_patches_out() -> None:
    card = MODELS.get("mae")
    with pytest.raises(ConfigError, match=r"'resnet18'.*vit-ti16"):
        card.build(card.tiny.model_copy(update={"encoder": EncoderChoice()}))


def test_what_is_hidden_does_not_reach_the_encoder() -> None:
    torch.manual_seed(0)
    card = MODELS.get("mae")
    vit = card.build(card.tiny).eval().encoder.net
    picture = torch.randn(1, 3, 64, 64)
    kept = torch.tensor([[0, 5]])
    other = picture.clone()
    other[:, :, 16:32, 32:48] += 1  # patch 6
    with torch.no_grad():
        one, same = vit.some_tokens(picture, kept), vit.some_tokens(other, kept)
        everything = vit.some_tokens(picture, torch.arange(16)[None])
        maps = vit(picture).maps[0]
    assert one.shape == (1, 3, 16)
    assert torch.equal(one, same)
    torch.testing.assert_close(everything[:, 1:].transpose(1, 2).unflatten(2, (4, 4)), maps)


@pytest.fixture(scope="module")
def runs(
    colors: Path, cache: str, shapes_set: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A run of SimCLR on colours, and one of DINO on shapes."""
    folder = tmp_path_factory.mktemp("runs")
    for task, frames in (("simclr", colors), ("dino", shapes_set)):
        train(recipe(task, frames, cache), folder / task, reporter=Rows())
    return {task: folder / task for task in ("simclr", "dino")}


def test_a_run_gives_its_encoder_to_another_model(
    runs: dict[str, Path], colors: Path, tmp_path: Path
) -> None:
    given = load_file(runs["simclr"] / "weights.safetensors")
    made = picture_recipe("classification", "classifier", colors, None, tmp_path / "cache")
    asked = changed(
        made,
        {"spec": tiny_spec("classifier"), "run.init_weights": str(runs["simclr"])},
    )
    begun: Run = build_run(asked)
    own = begun.model.state_dict()
    encoder = [name for name in own if name.startswith("encoder.")]
    assert encoder
    assert all(torch.equal(own[name], given[name]) for name in encoder)
    assert any("head.weight" in note for note in begun.notes)
    with pytest.raises(ConfigError, match="encoder"):
        build_run(changed(asked, {"run.init_weights": str(runs["dino"])}))


@pytest.fixture(scope="module")
def bundles(runs: dict[str, Path]) -> dict[str, Path]:
    for run in runs.values():
        exported = export_run(run, run.parent / f"{run.name}-bundle")
        assert exported.headline.startswith("knn_top1")
    return {task: run.parent / f"{task}-bundle" for task, run in runs.items()}


def test_a_bundle_serves_as_feature_model(
    bundles: dict[str, Path], runs: dict[str, Path], tmp_path: Path
) -> None:
    detector = str(make_native_bundle(tmp_path / "one-cube"))
    for bundle in bundles.values():
        manifest = find_bundle(bundle).manifest
        assert (manifest.task, manifest.format) == ("features", "features")
        assert set(manifest.outputs) == {"features", "embedding"}
        assert manifest.feature_stride_px == 16
        config = ServiceConfig(model=detector, feature_model=str(bundle), device="cpu", threads=1)
        rgb = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
        seen = build_pipeline(config).process(Frame(stamp_ns=1, frame_id="", rgb=rgb)).features
        assert seen is not None
        assert seen.grid.shape[1:] == (4, 4)
        assert np.linalg.norm(seen.embedding) == pytest.approx(1, abs=1e-4)
    larger = ExportOptions(size=Size(width_px=128, height_px=96))
    export_run(runs["dino"], runs["dino"].parent / "larger", larger)
    taken = find_bundle(runs["dino"].parent / "larger").manifest.input
    assert (taken.width_px, taken.height_px) == (128, 96)


def test_a_bundle_is_measured_beside_random_weights_and_trivial_answers(
    bundles: dict[str, Path], shapes_set: Path, tmp_path: Path
) -> None:
    asked = ["evaluate", str(bundles["dino"]), "--data", str(shapes_set), "--out", str(tmp_path)]
    result = CliRunner().invoke(app, [*asked, "--known", str(shapes_set), "--images", "12"])
    assert result.exit_code == 0, result.output
    for figure in ("knn_top1", "linear_top1", "random_knn_top1", "linear_top1_gain",
                   "trivial_top1/small_mlp", "attention_iou", "otsu_iou"):  # fmt: skip
        assert figure in result.output
    for file in ("metrics.json", "neighbours.png", "attention.png"):
        assert (tmp_path / file).is_file()


def test_an_encoder_without_a_class_token_has_no_attention_to_measure(
    bundles: dict[str, Path], colors: Path, tmp_path: Path
) -> None:
    bundle = find_bundle(bundles["simclr"])
    with pytest.raises(ConfigError, match="--known"):
        measure_bundle(bundle, colors, out=tmp_path, images=0, worst=3)
    measured = measure_bundle(bundle, colors, out=tmp_path, images=0, worst=3, known=colors)
    assert measured.files == ("metrics.json", "neighbours.png")
    assert not any(name.startswith("attention") for name in measured.metrics)


def test_query_pictures_that_are_known_are_reported(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    """By their pixels: the sets are different folders."""
    known = write_folders(tmp_path / "known", images=2)
    asked = write_folders(tmp_path / "asked", images=2)
    names = sorted(file.relative_to(asked) for file in asked.rglob("*.png"))
    for number, name in enumerate(names[1:]):
        other = np.full((32, 48, 3), 40 * number + 20, np.uint8)
        cv2.imwrite(str(asked / name), other)
    bundle = find_bundle(bundles["simclr"])
    measured = measure_bundle(bundle, asked, out=tmp_path, images=0, worst=1, known=known)
    assert any(note.startswith("1 of 6 pictures of ") for note in measured.notes)
    (asked / names[0]).unlink()
    cv2.imwrite(str(asked / names[0]), np.full((32, 48, 3), 99, np.uint8))
    again = measure_bundle(bundle, asked, out=tmp_path, images=0, worst=1, known=known)
    assert not any("too high" in note for note in again.notes)


def test_a_run_that_is_judged_by_known_pictures_says_so(colors: Path, cache: str) -> None:
    notes = build_run(recipe("simclr", colors, cache)).notes
    assert any("18 of 18 pictures" in note and "too high" in note for note in notes)


def test_norms_of_random_weights_get_the_statistics_of_real_pictures(
    colors: Path, cache: str
) -> None:
    torch.manual_seed(0)
    card = MODELS.get("simclr")
    model = card.build(card.tiny)
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    size = Size(width_px=64, height_px=64)
    known = Labelled(str(colors), crop=CropOptions(), size=size, cache_dir=cache, most=0)
    settle_norms(model, known)
    assert not model.training
    assert not torch.equal(norm.running_var, torch.ones_like(norm.running_var))


def test_attention_lies_on_the_picture_and_holds_its_mass() -> None:
    torch.manual_seed(0)
    choice = EncoderChoice(
        name="vit-ti16", options={"width": 16, "heads": 2, "depth": 1, "patch_px": 8}
    )
    rgb = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    looked = look(PictureEncoder(choice).eval(), rgb)
    assert looked.attention.shape == (3, 60, 80)
    torch.testing.assert_close(
        torch.from_numpy(looked.attention[:2].mean(axis=0)),
        torch.from_numpy(looked.attention[2]),
    )
    share = looked.foreground().mean(axis=(1, 2))
    assert ((share > 0.2) & (share < 0.9)).all()


def test_otsu_finds_what_differs_from_the_border_in_colour() -> None:
    rgb = np.full((60, 80, 3), (90, 120, 90), np.uint8)
    truth = np.zeros((60, 80), bool)
    truth[20:40, 30:60] = True
    rgb[truth] = (200, 40, 40)
    assert overlap(otsu_foreground(rgb), truth) == 1
    assert overlap(truth, ~truth) == 0
    assert overlap(np.zeros_like(truth), np.zeros_like(truth)) == 1
