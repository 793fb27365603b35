"""Policies that learn whole sentences by a frozen encoder, from the recipe to the service."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demonstrations_kit import write_episodes
from references import transformers as public_transformers
from runs import Rows, tiny_spec
from sentence_encoders import tokens_of, write_onnx_encoder, write_tokenizer

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.export.bundle import export_run
from robot_vision.export.measuring.demonstrations import JudgeOptions, measure_demonstrations
from robot_vision.model_store.policies import PolicyBundle, find_policy
from robot_vision.models.weights import read_weights
from robot_vision.policies.language.sentences import SentenceEncoder
from robot_vision.policies.pixels.policy import PixelPolicy
from robot_vision.training.demonstrations.sentences.folder import open_sentence_folder
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import recipe_of
from robot_vision.training.engine.run import build_run

SEEN = ObservationSpec(
    cameras=(CameraInput(name="front", width_px=64, height_px=32),), words="sentence"
)
TEXT = "pick the red cube"


def recipe_for(root: Path, **options: Any) -> Recipe:
    values: dict[str, Any] = {
        "task": "demonstrations",
        "model": "pixel-policy",
        "spec": tiny_spec("pixel-policy"),
        "run": {"steps": 3, "batch_size": 2, "rounds_per_evaluation": 1},
        "options": {
            "train_sets": [str(root / "set")],
            "val_sets": [str(root / "set")],
            "observation": SEEN.model_dump(mode="json"),
            "horizon": 3,
            "cache_dir": str(root / "cache"),
            "sentences": {"folder": str(root / "encoder"), "max_tokens": 8},
            **options,
        },
    }
    return recipe_of(values)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set, an encoder, a run of three steps, and its bundle."""
    root = tmp_path_factory.mktemp("sentences")
    write_episodes(root / "set", [4, 5], words=TEXT)
    write_onnx_encoder(root / "encoder")
    train(recipe_for(root), root / "run", reporter=Rows())
    export_run(root / "run", root / "bundle")
    return root


@pytest.fixture
def bundle(trained: Path, tmp_path: Path) -> PolicyBundle:
    """A copy that a test may change."""
    shutil.copytree(trained / "bundle", tmp_path / "bundle")
    return find_policy(tmp_path / "bundle")


def test_the_bundle_carries_the_encoder(trained: Path) -> None:
    policy = find_policy(trained / "bundle")
    said = policy.manifest.sentences
    assert said is not None
    assert (said.name, said.width, said.max_tokens) == ("encoder", 6, 8)
    for ours, theirs in (("language.onnx", "model.onnx"), ("tokenizer.json", "tokenizer.json")):
        written = (trained / "bundle" / ours).read_bytes()
        assert written == (trained / "encoder" / theirs).read_bytes()
    assert policy.manifest.vocabulary is None
    assert policy.manifest.metrics["onnx_against_torch_max"] < 1e-4


def test_the_service_hears_what_training_heard(trained: Path) -> None:
    """The same encoding and the same mask go into the network, and the same chunk comes out."""
    recipe = recipe_for(trained)
    task = build_run(recipe).task
    learnt = task._learnt  # type: ignore[attr-defined]
    judged = task._judged(learnt, task._spoken)  # type: ignore[attr-defined]
    shown = judged.inputs(np.array([1]))
    policy = PixelPolicy(find_policy(trained / "bundle"), threads=1)
    instruction = policy.instruct(TEXT)
    length = len(instruction.encoding)
    assert shown["text_seen"].tolist() == [[True] * length + [False] * (8 - length)]
    assert np.abs(shown["text"][0, :length] - instruction.encoding).max() < 1e-4
    arrays = {n: a for n, a in shown.items() if not n.startswith("text")}
    served, _ = policy._graph.run(arrays, instruction.encoding, {}, seed=0)
    run = build_run(recipe)

    weights = read_weights(trained / "run" / "weights.safetensors")
    run.model.load_state_dict(weights.tensors)
    with torch.inference_mode():
        inputs = {name: torch.from_numpy(array) for name, array in shown.items()}
        expected = run.model.eval()(inputs)["action"][0].numpy()
    assert np.abs(served - expected).max() < 1e-4


def test_words_are_encoded_once_a_wording(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()
    run = SentenceEncoder._run
    monkeypatch.setattr(
        SentenceEncoder,
        "_run",
        lambda self, tokens: asked.append(len(tokens)) or run(self, tokens),
    )
    build_run(recipe_for(trained, cache_dir=str(trained / "another")))
    assert asked == [1, 6]  # tried when it was opened, then the one wording of all episodes
    build_run(recipe_for(trained, cache_dir=str(trained / "another")))
    assert asked == [1, 6, 1]


def test_unknown_and_empty_words_hold_with_the_reason(trained: Path) -> None:
    policy = PixelPolicy(find_policy(trained / "bundle"), threads=1)
    said = policy.instruct("pick the zebra now")
    assert said.problem == "unknown word 'zebra': the encoder has no token for it"
    assert said.unknown_words == ("zebra", "now")
    assert not policy.instruct("pick the red cube now").problem
    assert policy.instruct("").problem == "no instruction"
    assert "expected at most 8" in policy.instruct("pick the red cube " * 3).problem


def test_a_word_without_a_token_is_noted_while_training(trained: Path, tmp_path: Path) -> None:
    write_onnx_encoder(tmp_path / "encoder", words=("pick", "the", "cube"))
    options = {"sentences": {"folder": str(tmp_path / "encoder"), "max_tokens": 8}}
    notes = build_run(recipe_for(trained, **options)).task.notes()
    assert any("without a token, refused in service: red" in note for note in notes)


def test_another_tokenizer_is_refused(bundle: PolicyBundle) -> None:
    write_tokenizer(bundle.path, ("red", "blue"))
    with pytest.raises(BundleError, match=r"tokenizer\.json is damaged or was replaced"):
        find_policy(bundle.path)


def test_the_encoder_is_part_of_the_identity(bundle: PolicyBundle) -> None:
    manifest = bundle.manifest
    assert manifest.sentences is not None
    for change in ({"tokenizer_sha256": "0" * 64}, {"max_tokens": 9}):
        other = manifest.sentences.model_copy(update=change)
        changed = manifest.model_copy(update={"sentences": other})
        assert changed.computed_identity != manifest.identity
    renamed = manifest.sentences.model_copy(update={"name": "another"})
    same = manifest.model_copy(update={"sentences": renamed})
    assert same.computed_identity == manifest.identity


def test_an_encoder_that_was_changed_after_training_is_not_exported(
    trained: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(trained / "encoder", kept)
    try:
        write_onnx_encoder(trained / "encoder", seed=1)
        with pytest.raises(ConfigError, match="now has another one"):
            export_run(trained / "run", tmp_path / "bundle")
        recipe = recipe_for(trained)
        start = {"init_weights": str(trained / "run" / "weights.safetensors")}
        begun = recipe.model_copy(update={"run": recipe.run.model_copy(update=start)})
        with pytest.raises(ConfigError, match="tokens would have other meanings"):
            build_run(begun)
    finally:
        shutil.copytree(kept, trained / "encoder", dirs_exist_ok=True)


def test_a_bundle_is_judged_by_its_own_encoder(trained: Path, tmp_path: Path) -> None:
    options = JudgeOptions(period_s=0.05, cache_dir=str(tmp_path / "cache"), tiles=2)
    policy = find_policy(trained / "bundle")
    found = measure_demonstrations(policy, trained / "set", out=tmp_path / "out", options=options)
    assert found.figures["error"] == pytest.approx(policy.manifest.metrics["error"], rel=0.02)


def test_folders_that_are_not_an_encoder_are_refused(trained: Path, tmp_path: Path) -> None:
    def refused(folder: Path | str, match: str) -> None:
        options = {"sentences": {"folder": str(folder), "max_tokens": 8}}
        with pytest.raises(ConfigError, match=match):
            build_run(recipe_for(trained, **options))

    refused("", "words = sentence with options.sentences.folder = ''")
    refused(tmp_path / "nowhere", "nowhere' is not a folder: expected one with tokenizer.json")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", r"has no tokenizer\.json: save the tokenizer")
    write_tokenizer(tmp_path / "empty")
    refused(tmp_path / "empty", r"has no model\.onnx, nor config\.json")
    (tmp_path / "empty" / "model.safetensors").write_bytes(b"")
    (tmp_path / "empty" / "config.json").write_text('{"auto_map": {"AutoModel": "evil.Model"}}')
    refused(tmp_path / "empty", "refers to its own code")
    short = {"sentences": {"folder": str(trained / "encoder"), "max_tokens": 4}}
    with pytest.raises(ConfigError, match="6 tokens in 'pick the red cube'"):
        build_run(recipe_for(trained, **short))
    silent = {"observation": SEEN.model_copy(update={"words": "none"}).model_dump(mode="json")}
    with pytest.raises(ConfigError, match="or neither"):
        build_run(recipe_for(trained, **silent))


def test_a_model_of_transformers_becomes_the_same_encoder(tmp_path: Path) -> None:
    library = public_transformers()
    write_tokenizer(tmp_path / "bert")
    config = library.BertConfig(
        vocab_size=len(tokens_of()),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=16,
    )
    torch.manual_seed(0)
    model = library.BertModel(config).eval()
    model.save_pretrained(tmp_path / "bert")
    folder = open_sentence_folder(tmp_path / "bert", max_tokens=8, cache_dir=tmp_path / "cache")
    found = folder.encoder().encode(TEXT)
    with torch.inference_mode():
        ids = torch.from_numpy(found.tokens)[None]
        expected = model(input_ids=ids).last_hidden_state[0].numpy()
    assert found.encoding.shape == (6, 16)
    assert np.abs(found.encoding - expected).max() < 1e-4
    made = folder.network.stat().st_mtime_ns
    again = open_sentence_folder(tmp_path / "bert", max_tokens=8, cache_dir=tmp_path / "cache")
    assert again.network.stat().st_mtime_ns == made
