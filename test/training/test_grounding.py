"""Phrases of a set, what training asks, what is learnt from it, and a bundle that answers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from picture_sets import picture_recipe
from runs import Rows, tiny_spec
from shapes_set import write_shapes_set
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.export.bundle import export_run
from robot_vision.grounding.prompt_encoder import PromptEncoder
from robot_vision.model_store.store import find_bundle
from robot_vision.models.grounding.region_words import RegionWords
from robot_vision.models.layers.regions import peaks, seen_in, surest
from robot_vision.models.weights import read_weights, write_weights
from robot_vision.perception.ground import Grounder
from robot_vision.perception.model import load_model
from robot_vision.training.data.caches.open_samples import open_samples
from robot_vision.training.data.samples.samples import collate
from robot_vision.training.data.words.grounding_queries import Questions
from robot_vision.training.data.words.phrases import ANY, Query, lexicon_of, meaning_of, queries_of
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import changed, recipe_of
from robot_vision.training.engine.run import build_run
from robot_vision.training.losses.grounding import phrase_loss
from robot_vision.training.metrics.grounding import (
    Verdict,
    best_threshold,
    grounding_figures,
    verdict_of,
)

NOWHERE = np.zeros((0, 4), np.float32)


@pytest.fixture(scope="module")
def asked_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shapes whose captions of things say how they would be wrong."""
    folder = write_shapes_set(tmp_path_factory.mktemp("sets") / "shapes", images=6)
    file = folder / "annotations.json"
    content = json.loads(file.read_text())
    for caption in content["captions"]:
        if caption["kind"] == "thing":
            ((color, thing, _),) = caption["named"]
            caption["wrong_color"] = f"a purple {thing}"
            caption["wrong_thing"] = f"a {color} teapot"
    file.write_text(json.dumps(content))
    return folder


def test_a_phrase_is_kept_as_its_words_of_meaning() -> None:
    assert meaning_of("The mug, that is RED") == meaning_of("a mug red") == "mug red"
    assert meaning_of("a green can") == "green can"


def test_the_lexicon_has_looks_things_and_colours(asked_set: Path) -> None:
    lexicon = lexicon_of(str(asked_set))
    for look in lexicon.looks:
        color, thing = look
        assert lexicon.phrases[look] == (f"{color} {thing}",)
        assert lexicon.look_of(f"{color} {thing}") == look
    assert lexicon.look_of("teapot") == (ANY, ANY)
    colors = {color for color, thing in lexicon.phrases if thing == ANY}
    assert all(f"{c} thing" in lexicon.phrases[c, ANY] for c in colors)


def test_a_set_asks_for_what_is_there_and_what_is_not(asked_set: Path) -> None:
    cache = open_samples(asked_set, width_px=64, height_px=64)
    names, colors = cache.source.class_names, cache.source.color_names
    asked = queries_of(str(asked_set), per_picture=2)
    assert [a.row for a in asked] == list(range(6))
    for each in asked:
        sample = cache[each.row]
        for query in each.queries:
            looks = [(colors[sample.color_id[r]], names[sample.class_id[r]]) for r in query.rows]
            assert set(looks) == ({query.look} if query.is_there else set())
        assert {query.is_there for query in each.queries} == {True, False}
    assert [a.queries[0].text for a in asked] == [
        a.queries[0].text for a in queries_of(str(asked_set), per_picture=2)
    ]


def test_sets_without_captions_of_things_are_refused(tmp_path: Path) -> None:
    boxes = write_shapes_set(tmp_path / "boxes", images=2, boxes_only=True)
    with pytest.raises(ConfigError, match="captions"):
        lexicon_of(str(boxes))


def test_training_asks_for_what_it_says(asked_set: Path) -> None:
    cache = open_samples(asked_set, width_px=64, height_px=64)
    batch = collate([cache[row] for row in range(6)])
    lexicon = lexicon_of(str(asked_set))
    names, colors = cache.source.class_names, cache.source.color_names
    questions = Questions(lexicon, colors=colors, things=names, count=6)
    texts, is_named = questions.asked(batch, np.random.default_rng(0))
    assert is_named.shape == (6, 6, batch.class_id.shape[1])
    for row, phrases in enumerate(texts):
        for number, text in enumerate(phrases):
            color, thing = lexicon.look_of(text)
            for which in range(batch.class_id.shape[1]):
                known = int(batch.class_id[row, which]) >= 0
                same = (
                    known
                    and color in (ANY, colors[int(batch.color_id[row, which])])
                    and thing in (ANY, names[int(batch.class_id[row, which])])
                )
                assert bool(is_named[row, number, which]) == same, text
        assert is_named[row, :3].any(dim=1).all()
    assert not is_named[:, 3:].any(dim=2).all()


def test_a_region_is_read_where_its_box_is() -> None:
    """Of a map that says where it is: bins are at their centres, of either level."""
    x = (torch.arange(16.0) + 0.5) * 8
    fine = torch.stack([x.expand(16, 16), x[:, None].expand(16, 16)])[None]
    coarse = F.avg_pool2d(fine, 2)
    boxes = torch.tensor([[[16.0, 32.0, 48.0, 48.0], [8.0, 8.0, 120.0, 120.0]]])
    seen = seen_in([fine, coarse], [8, 16], boxes, bins=2).reshape(1, 2, 2, 4)
    assert torch.allclose(seen[0, 0], torch.tensor([[24.0, 40, 24, 40], [36.0, 36, 44, 44]]))
    assert torch.allclose(seen[0, 1], torch.tensor([[36.0, 92, 36, 92], [36.0, 36, 92, 92]]))


def test_proposals_are_peaks_in_the_order_of_cells() -> None:
    logits = torch.tensor([[[[1.0, 3.0, 2.0, 0.0, 5.0]]]])
    boxes = torch.arange(5.0)[None, :, None].expand(1, 5, 4)
    assert surest(peaks(logits), boxes, 2)[0, :, 0].tolist() == [1, 4]


def test_cells_beside_peaks_are_chosen_by_their_logits_too() -> None:
    """Equal ones, of which ONNX Runtime would choose others than torch, must not arise."""
    logits = -5 + torch.tensor([[[[0.0, 1e-4, 2e-4, 3e-4, 4e-4]]]])
    boxes = torch.arange(5.0)[None, :, None].expand(1, 5, 4)
    for count in range(1, 6):
        found = surest(peaks(logits), boxes, count)[0, :, 0].tolist()
        assert found == [*range(5 - count, 5)]


def test_the_loss_of_phrases_falls_with_scores_where_they_belong(asked_set: Path) -> None:
    cache = open_samples(asked_set, width_px=64, height_px=64)
    batch = collate([cache[0]])
    things = batch.class_id.shape[1]
    assert things >= 2
    is_named = torch.zeros(1, 1, things, dtype=torch.bool)
    is_named[0, 0, 0] = True
    right = torch.full((1, things, 1), -4.0)
    right[0, 0] = 4.0
    losses = [
        float(phrase_loss(logits, batch.boxes_xyxy, batch, is_named)) for logits in (right, -right)
    ]
    assert losses[0] < 0.1 < losses[1]


def test_verdicts_are_of_the_first_box() -> None:
    truth = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], np.float32)
    found = np.array([[20, 20, 30, 29], [0, 0, 10, 10]], np.float32)
    query = Query(text="red mug", look=("red", "mug"), rows=np.array([1]))

    def verdict(*score: float) -> Verdict:
        scores = np.array(score, np.float32)
        return verdict_of(query, box_xyxy_px=found, score=scores, truth_xyxy_px=truth)

    assert verdict(0.9, 0.2).is_right
    assert not verdict(0.2, 0.9).is_right
    empty = np.zeros(0, np.float32)
    none = verdict_of(query, box_xyxy_px=NOWHERE, score=empty, truth_xyxy_px=truth)
    assert (none.score, none.is_right, none.is_there) == (0.0, False, True)


def test_the_threshold_parts_what_is_there_from_what_is_not() -> None:
    there = [Verdict(score=s, is_right=True, is_there=True, is_new=True) for s in (0.5, 0.7, 0.9)]
    absent = [Verdict(score=s, is_right=False, is_there=False) for s in (0.0, 0.3)]
    threshold = best_threshold([*there, *absent])
    assert 0.3 < threshold <= 0.5
    figures = grounding_figures([*there, *absent], threshold=threshold)
    assert figures["grounding"] == figures["first_right"] == figures["nothing_reported"] == 1.0
    assert grounding_figures([*there, *absent], threshold=0.8)["first_right"] == pytest.approx(
        1 / 3
    )
    assert "new/first_right" not in figures


def test_what_was_not_asked_has_no_figure() -> None:
    """A set whose captions name no wrong words: nothing was falsely reported, nor rightly not."""
    there = [Verdict(score=s, is_right=s > 0.5, is_there=True) for s in (0.4, 0.7, 0.8, 0.9)]
    figures = grounding_figures(there, threshold=0.1)
    assert "nothing_reported" not in figures
    assert figures["grounding"] == figures["first_right"] == 0.75
    absent = [Verdict(score=0.4, is_right=False, is_there=False)]
    assert grounding_figures(absent, threshold=0.5)["grounding"] == 1.0


@pytest.fixture(scope="module")
def bundle(asked_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, trained for two steps and exported."""
    folder = tmp_path_factory.mktemp("grounding")
    options: dict[str, Any] = {
        "train_set": str(asked_set),
        "val_set": str(asked_set),
        "evaluation_images": 2,
        "resolutions": [{"width_px": 64, "height_px": 64}],
    }
    recipe = recipe_of(
        {
            "task": "grounding",
            "model": "region-words",
            "spec": tiny_spec("region-words"),
            "run": {"steps": 2, "round_steps": 1, "batch_size": 4, "rounds_per_evaluation": 2},
            "options": options,
        }
    )
    rows = Rows()
    train(recipe, folder / "run", reporter=rows)
    assert {"phrases", "space", "things", "boxes"} <= set(rows.rows[0])
    assert 0 <= rows.rows[-1]["grounding"] <= 1
    export_run(folder / "run", folder / "bundle")
    return folder / "bundle"


def test_a_trained_model_is_served_with_its_words(bundle: Path) -> None:
    found = find_bundle(bundle)
    said = found.manifest.prompt
    assert said is not None
    assert said.vocabulary is not None
    assert found.manifest.score_threshold == found.manifest.metrics["threshold"]
    config = ServiceConfig(device="cpu", threads=1, grounding_threshold=1e-6)
    model = load_model(found, config)
    phrase = f"the {said.vocabulary.words[0]}"
    asked = config.model_copy(update={"prompt": f"{phrase}, a walrus"})
    grounder = Grounder(model, PromptEncoder(found), asked)
    rgb = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    grounded = grounder.ground(Frame(stamp_ns=5, frame_id="", rgb=rgb))
    assert grounded.prompt.sought == (phrase,)
    assert grounded.prompt.phrases[1].unknown_words == ("walrus",)
    assert len(grounded.detections) > 0
    assert set(grounded.detections.class_id.tolist()) == {0}


@pytest.fixture(scope="module")
def captioned(asked_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of picture-text on the same captions, with an encoder of words of the same size."""
    folder = tmp_path_factory.mktemp("captioned")
    recipe = picture_recipe("alignment", "picture-text", asked_set, None, folder / "cache")
    spec = {**tiny_spec("picture-text"), "text_width": 8}
    train(changed(recipe, {"spec": spec}), folder / "run", reporter=Rows())
    return folder / "run"


def grounding_from(asked_set: Path, cache: Path, words_from: Path | str, **spec: int) -> Recipe:
    options = {"words_from": str(words_from)}
    recipe = picture_recipe("grounding", "region-words", asked_set, None, cache, **options)
    return changed(recipe, {"spec": {**tiny_spec("region-words"), **spec}})


def test_words_begin_as_a_run_of_pictures_and_captions_learnt_them(
    asked_set: Path, captioned: Path, tmp_path: Path
) -> None:
    learnt = read_weights(captioned / "weights.safetensors")
    run = build_run(grounding_from(asked_set, tmp_path, captioned))
    assert isinstance(run.model, RegionWords)
    theirs, ours = (
        {word: row for row, word in enumerate(travels["vocabulary"]["words"], start=1)}
        for travels in (learnt.travels, run.travels())
    )
    assert theirs != {word: row for word, row in ours.items() if word in theirs}
    rows, learnt_rows = (
        run.model.language.word.weight.detach(),
        learnt.tensors["text.language.word.weight"],
    )
    for word in ("red", "blue", "disc", "slab"):
        assert torch.equal(rows[ours[word]], learnt_rows[theirs[word]])
    # What captions never say begins as the mean of what they do.
    torch.testing.assert_close(rows[ours["thing"]], learnt_rows[1:].mean(dim=0))
    name = next(n for n in run.model.language.state_dict() if n.startswith("blocks.0."))
    assert torch.equal(
        run.model.language.state_dict()[name], learnt.tensors[f"text.language.{name}"]
    )


def test_words_of_another_vocabulary_size_or_model_are_refused(
    asked_set: Path, captioned: Path, tmp_path: Path
) -> None:
    learnt = read_weights(captioned / "weights.safetensors")
    words = [w for w in learnt.travels["vocabulary"]["words"] if w != "slab"]
    vocabulary = {**learnt.travels["vocabulary"], "words": words}
    fewer = replace(learnt, travels={**learnt.travels, "vocabulary": vocabulary})
    write_weights(tmp_path / "fewer.safetensors", fewer)
    for source, spec, problem in (
        (tmp_path / "fewer.safetensors", {}, "it was never shown slab"),
        (captioned, {"dimensions": 16}, r"set spec\.dimensions = 8"),
        ("native-s", {}, "does not name its model; expected a run or bundle of picture-text"),
    ):
        with pytest.raises(ConfigError, match=problem):
            build_run(grounding_from(asked_set, tmp_path, source, **spec))


def test_it_is_measured_beside_trivial_answers(
    bundle: Path, asked_set: Path, tmp_path: Path
) -> None:
    arguments = ["evaluate", str(bundle), "--data", str(asked_set), "--out", str(tmp_path)]
    result = CliRunner().invoke(app, [*arguments, "--worst", "2"])
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["asked_there"] > 0
    assert figures["at_random/nothing_reported"] == 0
    assert 0 <= figures["by_name/first_right"] <= 1
    assert (tmp_path / "gallery.jpg").stat().st_size > 1000
