"""Pictures and words in one space: loss, figures, sets, the task, its bundle, what it shows."""

import json
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from picture_sets import picture_recipe
from runs import Rows, tiny_spec
from sentence_encoders import write_onnx_encoder
from torch import Tensor
from typer.testing import CliRunner

from robot_vision.alignment.picture_text import PictureText as Served
from robot_vision.cli import app
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.export.bundle import EXACTNESS, export_run
from robot_vision.export.parity import TOLERANCE
from robot_vision.model_store.store import find_bundle
from robot_vision.models.alignment.picture_text import MOST_SCALE, TEXT_ROLE, PictureText
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import read_weights
from robot_vision.policies.language.sentences import SentenceEncoder
from robot_vision.training.data.words.caption_words import token_rows, vocabulary_of
from robot_vision.training.data.words.captions import CaptionOptions, open_captions
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import changed
from robot_vision.training.engine.run import build_run
from robot_vision.training.engine.task import TASKS
from robot_vision.training.losses.alignment import contrastive_loss
from robot_vision.training.metrics.alignment import (
    Draws,
    found_at,
    retrieval,
    share,
    space_figures,
    uniformity,
)
from robot_vision.training.metrics.color_words import (
    COLOR_NAMES,
    color_counts,
    color_shares,
    color_similarity,
)
from robot_vision.training.tasks.alignment import AlignmentTask

CPU = torch.device("cpu")


def unit(rows: int, dimensions: int, *, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, dimensions, generator=draw), dim=1)


# The loss


def plain_loss(
    picture: Tensor, text: Tensor, scale: float, same: Tensor, wrong: list[list[Tensor]]
) -> float:
    """Each row and column by itself, as the papers' words have it."""
    total, count = 0.0, len(picture)
    for i in range(count):
        own = scale * float(picture[i] @ text[i])
        kept = [j for j in range(count) if i == j or not same[i, j]]
        of_picture = [*text[kept], *wrong[i]]
        for one, others in ((picture[i], of_picture), (text[i], [*picture[kept]])):
            total += math.log(sum(math.exp(scale * float(one @ each)) for each in others)) - own
    return total / (2 * count)


@pytest.mark.parametrize("repeated", [False, True], ids=["all differ", "some say the same"])
@pytest.mark.parametrize("wrongs", [0, 2])
def test_the_loss_equals_a_plain_loop(repeated: bool, wrongs: int) -> None:
    picture, text = unit(5, 7, seed=1), unit(5, 7, seed=2)
    meaning = torch.tensor([0, 1, 0, 2, 1]) if repeated else torch.arange(5)
    same = meaning[:, None] == meaning[None]
    wrong = unit(5 * wrongs, 7, seed=3).unflatten(0, (5, wrongs))
    has_wrong = torch.arange(5 * wrongs).reshape(5, wrongs) % 3 > 0
    found = contrastive_loss(
        picture, text, torch.tensor(14.0), same, wrong=wrong, has_wrong=has_wrong
    )
    listed = [[*rows[has]] for rows, has in zip(wrong, has_wrong, strict=True)]
    assert float(found) == pytest.approx(plain_loss(picture, text, 14.0, same, listed), rel=1e-5)


def test_pairs_that_lie_together_cost_nothing_and_unknowing_ones_the_logarithm_of_n() -> None:
    def loss(both: Tensor, scale: float) -> float:
        none = torch.zeros(6, 6, dtype=torch.bool)
        no_wrong = {"wrong": torch.zeros(6, 0, both.shape[1]), "has_wrong": none[:, :0]}
        return float(contrastive_loss(both, both, torch.tensor(scale), none, **no_wrong))

    assert loss(torch.eye(6), 100.0) < 1e-6
    assert loss(F.normalize(torch.ones(6, 4), dim=1), 9.0) == pytest.approx(math.log(6))


@pytest.mark.parametrize(("log_scale", "expected"), [(9.0, MOST_SCALE), (-3.0, 1.0), (2.0, None)])
def test_the_temperature_stays_within_bounds(log_scale: float, expected: float | None) -> None:
    model = PictureText(MODELS.get("picture-text").tiny)
    with torch.no_grad():
        model.log_scale.fill_(log_scale)
    model.clamp_scale()
    scale = float(model.log_scale.detach().exp())
    assert scale == pytest.approx(expected or math.exp(log_scale), rel=1e-5)


# Figures


def test_retrieval_of_known_matrices() -> None:
    similarity = np.array([[0.9, 0.1, 0.2], [0.5, 0.4, 0.1], [0.3, 0.2, 0.1]])
    assert found_at(similarity, 1).tolist() == [1, 0, 0]
    assert found_at(similarity, 2).tolist() == [1, 1, 0]
    assert found_at(similarity.T, 1).tolist() == [1, 1, 0]
    # the caption of the third picture is as near as two others: any order is as good
    assert found_at(np.zeros((4, 4)), 1).tolist() == [0.25] * 4
    assert found_at(np.zeros((4, 4)), 10).tolist() == [1.0] * 4


def test_retrieval_is_drawn_among_captions_that_mean_different_things() -> None:
    count = 30
    meanings = [str(row // 2) for row in range(count)]
    never = np.arange(count) < 6
    perfect = retrieval(np.eye(count), meanings, never, Draws(candidates=10, count=20))
    assert perfect["candidates"].value == 10
    assert perfect["retrieval_at_1"].value == 1.0
    # pairs of one meaning: drawn separately they would be found, in one draw they never are
    twins = np.kron(np.eye(count // 2), np.ones((2, 2)))
    all_of_them = retrieval(twins, meanings, never, Draws(candidates=count, count=3))
    assert all_of_them["candidates"].value == 15
    assert all_of_them["retrieval_at_1"].value == 1.0
    chance = retrieval(np.zeros((count, count)), meanings, never, Draws(candidates=10, count=3))
    assert chance["picture_to_text_at_1"].value == pytest.approx(0.1)
    assert chance["text_to_picture_at_5"].value == pytest.approx(0.5)


def test_what_training_never_showed_stands_apart() -> None:
    never = np.arange(40) < 10
    similarity = np.diag(np.where(never, -1.0, 1.0))
    names = [str(i) for i in range(40)]
    found = retrieval(similarity, names, never, Draws(candidates=40, count=2))
    assert found["never_seen_at_1"].value == 0.0
    assert found["seen_at_1"].value == 1.0
    assert found["retrieval_at_1"].value == pytest.approx(0.75)


def test_the_same_seed_draws_the_same() -> None:
    similarity = np.random.default_rng(0).random((50, 50))
    names, never = [str(i) for i in range(50)], np.zeros(50, bool)
    one, again, other = (
        retrieval(similarity, names, never, Draws(candidates=20, seed=seed)) for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other
    figure = one["retrieval_at_5"]
    assert figure.low <= figure.value <= figure.high


def test_the_space_of_known_embeddings() -> None:
    picture = np.eye(4)[[0, 1]]
    text = np.eye(4)[[2, 3]]
    found = space_figures(picture, text)
    assert found["matched_similarity"] == 0.0
    assert found["modality_gap"] == pytest.approx(1.0)
    assert found["variance/picture"] == pytest.approx(0.5)
    assert found["uniformity/text"] == pytest.approx(-4.0)  # one pair, √2 apart
    assert space_figures(picture, picture)["modality_gap"] == 0.0
    assert space_figures(picture, picture)["matched_similarity"] == 1.0
    assert uniformity(np.ones((3, 2))) == 0.0


def test_wilsons_interval() -> None:
    found = share(np.array([1.0] * 9 + [0.0]))
    assert found.value == pytest.approx(0.9)
    assert (found.low, found.high) == pytest.approx((0.5958, 0.9821), abs=1e-3)


def test_colors_alone_know_a_red_picture_from_a_blue_one() -> None:
    red, blue = (np.full((40, 50, 3), color, np.uint8) for color in ((200, 40, 40), (40, 80, 210)))
    shares = [color_shares(red), color_shares(blue)]
    assert shares[0][COLOR_NAMES.index("red")] == pytest.approx(1.0)
    counts = [color_counts([("red", "mug", 2)]), color_counts([("blue", "can", 1)])]
    assert counts[0].sum() == 2
    similarity = color_similarity(shares, counts)
    assert found_at(similarity, 1).tolist() == [1, 1]


# Sets


def with_caption_rows(source: Path, folder: Path, change: object) -> Path:
    """A copy of a set whose list of captions is changed."""
    copied = shutil.copytree(source, folder)
    file = copied / "annotations.json"
    content = json.loads(file.read_text())
    content["captions"] = change(content["captions"])  # type: ignore[operator]
    file.write_text(json.dumps(content))
    return copied


def test_pictures_and_things_have_their_captions(shapes_set: Path) -> None:
    opened = open_captions(str(shapes_set), CaptionOptions(things_per_picture=2))
    whole = [picture for picture in opened.pictures if not picture.is_thing]
    things = [picture for picture in opened.pictures if picture.is_thing]
    assert (len(whole), len(things)) == (12, 24)
    assert all((p.crop.width_px, p.crop.height_px) == (128, 96) for p in whole)
    for picture in things:
        (caption,) = picture.captions
        ((color, name, _),) = caption.named
        assert caption.caption == f"a {color} {name}"
        rgb = picture.crop.decode().rgb
        middle = rgb[rgb.shape[0] // 2, rgb.shape[1] // 2]
        assert (middle[0] > middle[2]) == (color == "red")
    assert len(open_captions(str(shapes_set), CaptionOptions()).pictures) == 12


def test_pictures_that_show_what_is_left_out_are_not_learnt_from(shapes_set: Path) -> None:
    everything = open_captions(str(shapes_set), CaptionOptions(things_per_picture=2))
    assert ("red", "disc") in everything.looks
    options = CaptionOptions(things_per_picture=2, left_out=[["red", "disc"]])
    rest = open_captions(str(shapes_set), options)
    assert 0 < len(rest.pictures) < len(everything.pictures)
    assert rest.looks == everything.looks - {("red", "disc")}
    assert not any("red disc" in text for text in rest.texts)
    with pytest.raises(ConfigError, match=r"expected a colour and an object, as \[red, mug\]"):
        open_captions(str(shapes_set), CaptionOptions(left_out=[["red"]]))
    with pytest.raises(ConfigError, match=r"left_out has 'dics', which .* does not show; .*disc"):
        open_captions(str(shapes_set), CaptionOptions(left_out=[["red", "dics"]]))
    looks = sorted(map(list, everything.looks))
    with pytest.raises(ConfigError, match="every captioned picture shows what left_out names"):
        open_captions(str(shapes_set), CaptionOptions(left_out=looks))


def test_captions_as_coco_has_them_are_enough(shapes_set: Path, tmp_path: Path) -> None:
    plain = with_caption_rows(
        shapes_set,
        tmp_path / "plain",
        lambda rows: [{k: row[k] for k in ("image_id", "caption")} for row in rows],
    )
    opened = open_captions(str(plain), CaptionOptions(things_per_picture=2))
    assert len(opened.pictures) == 12
    assert len(opened.texts) == 36


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "robot-vision scenes captions"),
        ([{"image_id": 1}], "cannot read the captions"),
        ([{"image_id": 1, "caption": ""}], r"captions\[0\], of image_id 1, .* remove it"),
        ([{"image_id": 1, "caption": " ...\t"}], r"expected a word or more"),
        (["a mug"], "cannot read the captions"),
        (7, "cannot read the captions"),
    ],
)
def test_sets_without_good_captions_are_refused(
    shapes_set: Path, tmp_path: Path, rows: object, expected: str
) -> None:
    broken = with_caption_rows(shapes_set, tmp_path / "broken", lambda _: rows)
    with pytest.raises(ConfigError, match=expected):
        open_captions(str(broken), CaptionOptions())


def test_words_become_tokens() -> None:
    vocabulary = vocabulary_of(["a red mug", "A blue  mug, left"], max_words=4)
    assert vocabulary.words == ("a", "blue", "left", "mug", "red")
    rows = token_rows(["a red mug", "the mug"], vocabulary)
    assert rows.tolist() == [[1, 5, 4, 0], [4, 0, 0, 0]]
    with pytest.raises(ConfigError, match="a caption has 5 words, expected 4 at most"):
        vocabulary_of(["a b c d e"], max_words=4)


# The task and its bundle


def recipe_for(data: Path, cache: Path, **options: object):
    recipe = picture_recipe("alignment", "picture-text", data, data, cache, **options)
    return changed(recipe, {"spec": tiny_spec("picture-text")})


def test_captions_that_all_mean_the_same_are_refused(shapes_set: Path, tmp_path: Path) -> None:
    one = with_caption_rows(
        shapes_set,
        tmp_path / "one",
        lambda rows: [{"image_id": row["image_id"], "caption": "a red mug"} for row in rows],
    )
    with pytest.raises(ConfigError, match=r"all captions of .* mean 'a red mug'"):
        build_run(recipe_for(one, tmp_path / "cache"))
    recipe = changed(recipe_for(shapes_set, tmp_path / "cache"), {"options.val_set": str(one)})
    with pytest.raises(ConfigError, match="expected two different meanings or more"):
        build_run(recipe)


def test_words_of_the_held_out_set_that_training_lacks_are_listed(
    shapes_set: Path, tmp_path: Path
) -> None:
    other = with_caption_rows(
        shapes_set,
        tmp_path / "other",
        lambda rows: [{**row, "caption": f"{row['caption']} 상자"} for row in rows],
    )
    recipe = recipe_for(shapes_set, tmp_path / "cache")
    known = build_run(recipe)
    assert not any("are ignored" in note for note in known.notes)
    asked = build_run(changed(recipe, {"options.val_set": str(other)}))
    assert any("are ignored: 상자" in note for note in asked.notes)


def test_a_batch_depends_on_its_step_alone_and_knows_what_says_the_same(
    shapes_set: Path, tmp_path: Path
) -> None:
    captions = {"things_per_picture": 1}
    task = TASKS.get("alignment")(recipe_for(shapes_set, tmp_path, captions=captions), CPU)
    assert isinstance(task, AlignmentTask)
    batches = task.batches(0, 0.0)
    first, second = next(batches), next(batches)
    again = next(task.batches(1, 0.0))
    assert torch.equal(second.rgb, again.rgb)
    assert torch.equal(second.text, again.text)
    assert not torch.equal(first.text, second.text)
    assert first.same.diagonal().all()
    same_caption = (first.text[:, None] == first.text[None]).all(dim=2)
    assert torch.equal(first.same | same_caption, first.same)
    assert task.notes() == ("12 pictures and 12 crops of things with 24 captions of 6 words",)


def test_pictures_reject_wrong_captions_that_can_be_read(shapes_set: Path, tmp_path: Path) -> None:
    readable = with_caption_rows(
        shapes_set,
        tmp_path / "readable",
        lambda rows: [
            {**row, "wrong_color": "a blue slab", "wrong_thing": "a red zebra"} for row in rows
        ],
    )

    def batch_of(data: Path, **options: object):
        task = TASKS.get("alignment")(recipe_for(data, tmp_path / "cache", **options), CPU)
        return next(task.batches(0, 0.0)), task

    batch, task = batch_of(readable)
    assert batch.has_wrong.all(dim=0).tolist() == [True, False]  # no caption names a zebra
    blue = token_rows(["a blue slab"], vocabulary_of(open_texts(readable), max_words=40))[0]
    assert (batch.wrong[:, 0] == torch.from_numpy(blue)).all()
    loss, _ = task.loss(task.answer(build_run(task.recipe).model, batch), batch)
    assert torch.isfinite(loss)
    for data, options in ((shapes_set, {}), (readable, {"wrong_captions": False})):
        assert batch_of(data, **options)[0].has_wrong.shape == (len(batch.text), 0)


def open_texts(data: Path) -> list[str]:
    return open_captions(str(data), CaptionOptions()).texts


def test_words_of_a_start_keep_their_rows(shapes_set: Path, tmp_path: Path) -> None:
    task = TASKS.get("alignment")(recipe_for(shapes_set, tmp_path), CPU)
    words = task.travels()["vocabulary"]["words"]
    rows = torch.arange(4.0)[:, None].repeat(1, 2)  # padding, two words, one that is not needed
    tensors = {"text.language.word.weight": rows, "picture.cells.0.bias": torch.zeros(1)}
    assert task.initial_weights(tensors, task.travels()) == tensors
    found = task.initial_weights(tensors, {"vocabulary": {"words": [words[1], words[0], "cat"]}})
    moved = found["text.language.word.weight"][:, 0].tolist()
    assert moved == [0, 2, 1, *[2] * (len(words) - 2)]


def test_it_learns_which_words_are_of_which_picture(shapes_set: Path, tmp_path: Path) -> None:
    recipe = changed(
        recipe_for(shapes_set, tmp_path / "cache"),
        {
            "run.steps": 120,
            "run.round_steps": 60,
            "run.rounds_per_evaluation": 2,
            "run.batch_size": 12,
            "run.ema_decay": 0.8,
            "optimizer.learning_rate": 0.01,
        },
    )
    rows = Rows()
    train(recipe, tmp_path / "run", reporter=rows)
    first, last = rows.rows
    chance = 1 / last["candidates"]
    assert last["retrieval_at_1"] > 1.5 * chance
    assert last["contrast"] < first["contrast"]
    assert last["matched_similarity"] > last["mean_similarity"] + 0.2


@pytest.fixture(scope="module")
def bundle(shapes_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few steps; exported, which proves both graphs against torch."""
    folder = tmp_path_factory.mktemp("alignment")
    captions = {"things_per_picture": 1}
    recipe = recipe_for(shapes_set, folder / "cache", captions=captions)
    rows = Rows()
    train(recipe, folder / "run", reporter=rows)
    assert all(math.isfinite(row["contrast"]) for row in rows.rows)
    assert 0 <= rows.rows[-1]["retrieval_at_1"] <= 1
    exported = export_run(folder / "run", folder / "bundle")
    assert exported.headline.startswith("retrieval_at_1")
    assert exported.metrics[EXACTNESS] <= TOLERANCE
    return folder / "bundle"


def test_the_bundle_says_what_torch_says(bundle: Path, shapes_set: Path) -> None:
    served = Served(find_bundle(bundle))
    weights = read_weights(bundle / "model.safetensors")
    card = MODELS.get("picture-text")
    model = card.build(type(card.spec).model_validate(weights.spec)).eval()
    model.load_state_dict(weights.tensors)
    texts = ["a red disc", "a blue slab and a red slab"]
    text = served.manifest.text
    assert text is not None
    assert text.vocabulary is not None
    tokens = torch.from_numpy(token_rows(texts, text.vocabulary))
    rgb = open_captions(str(shapes_set), CaptionOptions()).pictures[0].crop.decode().rgb
    placed = np.full((64, 64, 3), 114, np.uint8)
    placed[8:56] = cv2.resize(rgb, (64, 48), interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        found = model(torch.from_numpy(placed[None].repeat(2, 0)), tokens)
    embedded = np.stack([each.embedding for each in served.embed_texts(texts)])
    np.testing.assert_allclose(embedded, found[TEXT_ROLE].numpy(), atol=1e-4)
    picture = served.embed_picture(rgb)
    np.testing.assert_allclose(picture.embedding, found["embedding"][0].numpy(), atol=2e-2)
    np.testing.assert_allclose(np.linalg.norm(picture.embedding), 1, atol=1e-5)
    assert picture.cells.shape[0] == len(picture.embedding)


def test_unknown_words_are_left_out_and_named(bundle: Path) -> None:
    served = Served(find_bundle(bundle))
    known, beside = served.embed_texts(["a red disc", "a zebra red disc"])
    assert known.unknown_words == ()
    assert beside.unknown_words == ("zebra",)
    np.testing.assert_array_equal(known.embedding, beside.embedding)
    assert served.embed_texts([]) == []
    for text in ("zebra", "", "..."):
        with pytest.raises(ConfigError, match="has no word that 'bundle' knows; it knows a, and"):
            served.embed_texts([text])
    with pytest.raises(ConfigError, match="too long; expected 40 words"):
        served.embed_texts(["red " * 41])


TOWER_WORDS = ("a", "and", "red", "blue", "disc", "slab", "crimson")


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen encoder of sentences that knows a word more than the captions have."""
    return write_onnx_encoder(tmp_path_factory.mktemp("towers") / "tower", words=TOWER_WORDS)


def recipe_with(tower: Path, data: Path, cache: Path, **options: object) -> Recipe:
    sentences = {"folder": str(tower), "max_tokens": 16}
    return recipe_for(data, cache, sentences=sentences, **options)


@pytest.fixture(scope="module")
def by_sentences(shapes_set: Path, tower: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose captions a frozen encoder reads, exported with it."""
    folder = tmp_path_factory.mktemp("sentences")
    rows = Rows()
    recipe = recipe_with(tower, shapes_set, folder / "cache")
    train(recipe, folder / "run", reporter=rows)
    assert all(math.isfinite(row["contrast"]) for row in rows.rows)
    exported = export_run(folder / "run", folder / "bundle")
    assert exported.metrics[EXACTNESS] <= TOLERANCE
    return folder / "bundle"


def test_a_frozen_encoder_of_sentences_is_served_from_the_bundle(by_sentences: Path) -> None:
    served = Served(find_bundle(by_sentences))
    texts = ["a red disc", "a crimson disc", "a zebra disc"]
    known, other, unknown = served.embed_texts(texts)
    assert (known.unknown_words, other.unknown_words) == ((), ())
    assert unknown.unknown_words == ("zebra",)
    assert np.abs(known.embedding - other.embedding).max() > 1e-4
    # As torch says it, of what the tower gives of each token.
    weights = read_weights(by_sentences / "model.safetensors")
    card = MODELS.get("picture-text")
    model = card.build(type(card.spec).model_validate(weights.spec)).eval()
    model.load_state_dict(weights.tensors)
    encoder = SentenceEncoder(
        by_sentences / "sentences.onnx", by_sentences / "tokenizer.json", max_tokens=16
    )
    rows = np.zeros((1, 16, encoder.width), np.float32)
    encoded = encoder.encode(texts[0]).encoding
    rows[0, : len(encoded)] = encoded
    assert isinstance(model, PictureText)
    with torch.no_grad():
        found = model.text(torch.from_numpy(rows))
    np.testing.assert_allclose(known.embedding, found[0].numpy(), atol=1e-4)
    for text, why in (("zebra", "has no word that the encoder"), ("red " * 40, "too long")):
        with pytest.raises(ConfigError, match=why):
            served.embed_texts([text])


def test_the_tower_of_a_bundle_is_verified(by_sentences: Path, tmp_path: Path) -> None:
    for name in ("sentences.onnx", "tokenizer.json"):
        damaged = shutil.copytree(by_sentences, tmp_path / name)
        (damaged / name).write_bytes(b"another")
        with pytest.raises(BundleError, match=name):
            find_bundle(damaged)


def test_another_tower_than_was_learnt_by_is_refused(
    shapes_set: Path, tower: Path, tmp_path: Path
) -> None:
    task = TASKS.get("alignment")(recipe_with(tower, shapes_set, tmp_path), CPU)
    other = write_onnx_encoder(tmp_path / "other", seed=1, words=TOWER_WORDS)
    changed_tower = recipe_with(other, shapes_set, tmp_path)
    with pytest.raises(ConfigError, match="learnt captions by the encoder of sentences 'tower'"):
        AlignmentTask.held_out(changed_tower, task.travels(), None)
    with pytest.raises(ConfigError, match="names none"):
        AlignmentTask.held_out(recipe_for(shapes_set, tmp_path), task.travels(), None)


def test_a_frozen_encoder_of_pictures_stays_as_it_was(shapes_set: Path, tmp_path: Path) -> None:
    recipe = recipe_for(shapes_set, tmp_path / "cache", freeze_encoder=True)
    before = build_run(recipe).model.state_dict()
    rows = Rows()
    train(recipe, tmp_path / "run", reporter=rows)
    assert any("freezes an encoder of fresh weights" in note for note in rows.notes)
    after = read_weights(tmp_path / "run" / "weights.safetensors").tensors
    frozen = [name for name in before if name.startswith("picture.encoder.")]
    assert frozen
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert not torch.equal(before["picture.cells.0.weight"], after["picture.cells.0.weight"])


def test_other_bundles_and_damaged_words_are_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has no encoder of texts"):
        Served(find_bundle("native-s"))
    damaged = shutil.copytree(bundle, tmp_path / "damaged")
    (damaged / "text.onnx").write_bytes(b"another")
    with pytest.raises(BundleError, match=r"text\.onnx"):
        find_bundle(damaged)


def test_evaluate_writes_figures_and_pictures(
    bundle: Path, shapes_set: Path, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    arguments = ["evaluate", "alignment", str(bundle), "--data", str(shapes_set)]
    options = ["--out", str(tmp_path), "--draws", "5", "--candidates", "6", "--tiles", "3"]
    result = CliRunner().invoke(app, [*arguments, *options])
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["retrieval_at_1/low"] <= metrics["retrieval_at_1"] <= 1
    assert metrics["trivial/chance/retrieval_at_1"] == pytest.approx(
        1 / metrics["candidates"],
        abs=1e-4,  # as it is rounded
    )
    assert {"above_wrong_color", "things/retrieval_at_1", "modality_gap"} <= metrics.keys()
    assert "never_seen_at_1" not in metrics  # the same looks as in training
    assert "0 captions name looks that training never showed" in result.output
    # of the wrong words "green" and "ball" the bundle knows none
    assert "unknown to the bundle: ball, green" in result.output
    for name in ("map.png", "words.png"):
        assert (tmp_path / name).stat().st_size > 1000


def test_its_pictures_are_measured_as_of_any_encoder(
    bundle: Path, shapes_set: Path, tmp_path: Path
) -> None:
    asked = ["evaluate", str(bundle), "--data", str(shapes_set), "--known", str(shapes_set)]
    result = CliRunner().invoke(app, [*asked, "--out", str(tmp_path), "--images", "12"])
    assert result.exit_code == 0, result.output
    assert "random_knn_top1" in result.output
