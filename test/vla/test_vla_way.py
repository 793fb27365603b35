"""From a model in a folder to a policy that decides: configuration, recipe, run, bundle."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from demonstrations_kit import write_episodes
from runs import Rows
from typer.testing import CliRunner
from vlm_kit import model_of, smolvlm

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.export.bundle import ExportOptions, export_run
from robot_vision.export.measuring.demonstrations import JudgeOptions, measure_demonstrations
from robot_vision.export.run_folder import open_run
from robot_vision.export.served_weights import write_served_weights
from robot_vision.model_store.policies import find_policy
from robot_vision.models.vla.backbone import open_folder
from robot_vision.models.vla.study import study_folder
from robot_vision.models.weights import read_weights
from robot_vision.policies.pixels.policy import PixelPolicy
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import changed, load_recipe
from robot_vision.training.vla.configuration import VlaConfig, read_configuration
from robot_vision.training.vla.recipe import write_recipe
from robot_vision.training.vla.small_folder import write_small
from robot_vision.training.vla.words import table_of

TEXT = "pick the red cube"
TINY = {"width": 16, "layers": 1, "side_px": 32, "seed": 0}


def configuration(root: Path, **changes: Any) -> VlaConfig:
    values: dict[str, Any] = {
        "backbone": {"path": str(root / "small")},
        "action_head": {"type": "LSTMDecoder"},
        "action_tokens": 2,
        "history_length": 2,
        "action_chunk_size": 3,
        "training": {
            "batch_size": 4,
            "accumulate_grad_batches": 2,
            "max_steps": 3,
            "warmup_steps": 2,
            "precision": "bf16",
            "gradient_checkpointing": True,
            "lora_enable": True,
            "lora_r": 2,
        },
        "data": {
            "train_sets": [str(root / "set")],
            "val_sets": [str(root / "set")],
            "max_text_len": 6,
        },
    }
    return VlaConfig.model_validate(values | changes)


def recipe_of(root: Path, out: Path, **changes: Any) -> Recipe:
    file = write_recipe(configuration(root, **changes), out)
    return load_recipe(file, {"options.cache_dir": str(root / "cache"), "spec.width": 16})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set, a small model, a run of three steps, and its bundles."""
    root = tmp_path_factory.mktemp("vla")
    write_episodes(root / "set", [4, 5], words=TEXT)
    write_small(root / "small", "paligemma", [TEXT, "Put it down!"], **TINY)
    rows = Rows()
    train(recipe_of(root, root / "recipe"), root / "run", reporter=rows)
    assert np.isfinite(rows.rows[-1]["total"])
    export_run(root / "run", root / "onnx")
    export_run(root / "run", root / "torch", ExportOptions(engine="torch"))
    return root


def test_the_fields_names_become_ours(root: Path) -> None:
    recipe = load_recipe(root / "recipe" / "recipe.yaml")
    assert recipe.spec["head"] == {"name": "lstm", "options": {}}
    assert recipe.spec["fusion"] == {"name": "memory", "options": {"moments": 2}}
    assert recipe.spec["lora"] == {"rank": 2, "alpha": 16.0, "dropout": 0.0}
    assert recipe.spec["backbone"]["adapter"] == "paligemma"
    assert recipe.options.moments.count == 2
    assert recipe.options.horizon == 3
    assert (recipe.run.accumulate, recipe.run.recompute, recipe.run.precision) == (2, True, "bf16")
    assert recipe.optimizer.warmup_steps == 2
    (camera,) = recipe.options.observation.cameras
    assert (camera.width_px, camera.height_px) == (32, 32)


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_configuration_is_read_as_yaml_and_as_json(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"vla.{suffix}"
    text = '{"backbone": {"path": "models/x"}, "history_length": 8, "action_chunk_size": 10}'
    file.write_text(text)
    read = read_configuration(file)
    assert (read.backbone.path, read.history_length, read.action_chunk_size) == ("models/x", 8, 10)
    file.write_text('{"window": 8, "history_length": 0}')
    with pytest.raises(ConfigError, match=r"history_length = 0: .*window = 8: Extra"):
        read_configuration(file)


def test_the_backbone_keeps_its_weights_and_the_policy_its_words(root: Path) -> None:
    """Low-rank adapters learn beside what was given; the table stands in the bundle."""
    small = open_folder(root / "small")
    learnt = read_weights(root / "run" / "weights.safetensors").tensors
    name = "language_model.layers.0.self_attn.q_proj"
    ours = learnt[f"sight.vlm.{name}.base_layer.weight"]
    np.testing.assert_array_equal(ours.numpy(), small.state_dict()[f"{name}.weight"].numpy())
    assert not any("embed_tokens" in layer for layer in learnt)
    policy = PixelPolicy(find_policy(root / "onnx"), threads=1)
    instruction = policy.instruct("PICK the red cube")
    table = table_of(small.get_input_embeddings())
    np.testing.assert_allclose(instruction.encoding, table[instruction.tokens], rtol=1e-6)
    assert "unknown word 'zebra'" in policy.instruct("pick the zebra").problem
    assert "expected at most 6" in policy.instruct("pick " * 7).problem


def test_torch_serves_what_onnx_serves(root: Path) -> None:
    policies = [PixelPolicy(find_policy(root / name), threads=1) for name in ("onnx", "torch")]
    assert [policy.provider for policy in policies] == ["cpu", "torch-cpu"]
    network = policies[0]._graph
    rng, arrays = np.random.default_rng(0), {}
    for each in network._session.get_inputs():
        if each.name.startswith(("text", "past_")):
            continue
        high = 255 if "uint8" in each.type else 1
        kind = {"tensor(uint8)": np.uint8, "tensor(bool)": bool}.get(each.type, np.float32)
        arrays[each.name] = (high * rng.random(each.shape) + 0.5).astype(kind)
    instruction = policies[0].instruct(TEXT)
    carried: list[dict[str, np.ndarray]] = [{}, {}]
    for _ in range(3):  # what is remembered is handed on by both
        found = []
        for number, policy in enumerate(policies):
            past, encoding = carried[number], instruction.encoding
            action, carried[number] = policy._graph.run(arrays, encoding, past, seed=0)
            found.append(action)
        np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert policies[1].manifest.identity != policies[0].manifest.identity  # other files
    assert read_weights(root / "torch" / "policy.safetensors").spec["lora"]["rank"] == 0


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_a_bundle_is_measured_on_demonstrations(root: Path, tmp_path: Path, name: str) -> None:
    options = JudgeOptions(cache_dir=str(root / "cache"))
    found = measure_demonstrations(
        find_policy(root / name), root / "set", out=tmp_path, options=options
    )
    assert 0 < found.figures["error"] < 10


def test_a_model_that_torch_does_not_serve_is_refused(root: Path, tmp_path: Path) -> None:
    trained = open_run(root / "run", weights="weights.safetensors")
    network = trained.graphs[-1]
    object.__setattr__(network, "module", network.module.policy)  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="expected --engine onnx"):
        write_served_weights(trained, tmp_path / "policy.safetensors")


def test_a_model_without_an_adapter_is_studied_and_trained(root: Path, tmp_path: Path) -> None:
    model_of("smolvlm").save_pretrained(tmp_path / "small")
    shutil.copyfile(root / "small" / "tokenizer.json", tmp_path / "small" / "tokenizer.json")
    said = study_folder(tmp_path / "small")
    assert said["adapter"] == "generic, for a SmolVLMModel"
    assert said["text_tower"] == "text_model"
    assert said["vision_tower by"] == "its name: vision_model"
    assert said["a picture"] == f"4 tokens of {smolvlm()['text_config']['hidden_size']} numbers"
    (tmp_path / "small" / "preprocessor_config.json").write_text(
        '{"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}'
    )
    recipe = recipe_of(
        root, tmp_path / "recipe", backbone={"path": str(tmp_path / "small")}, history_length=1
    )
    assert recipe.spec["backbone"]["image_std"] == [0.4, 0.5, 0.6]
    rows = Rows()
    train(changed(recipe, {"run.steps": 2}), tmp_path / "run", reporter=rows)
    assert np.isfinite(rows.rows[-1]["total"])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer.json"),
        (lambda f: (f / "model.safetensors").unlink(), "Pickles"),
        (lambda f: (f / "config.json").write_text('{"auto_map": {}}'), "code of its own"),
        (lambda f: (f / "config.json").write_text('{"model_type": "no"}'), "cannot be opened"),
        (lambda f: _deeper(f / "config.json"), "lacks weights of its own config: "),
    ],
    ids=["tokenizer", "weights", "code", "kind", "layers"],
)
def test_a_folder_that_cannot_be_taken_is_refused(
    root: Path, tmp_path: Path, spoil: Any, words: str
) -> None:
    shutil.copytree(root / "small", tmp_path / "small")
    spoil(tmp_path / "small")
    with pytest.raises(ConfigError, match=words):
        write_recipe(
            configuration(root, backbone={"path": str(tmp_path / "small")}), tmp_path / "recipe"
        )


def _deeper(file: Path) -> None:
    """A layer more than there are weights for."""
    said = json.loads(file.read_text())
    said["text_config"]["num_hidden_layers"] += 1
    said["text_config"].pop("layer_types", None)
    file.write_text(json.dumps(said))


def test_the_commands_lead_there(root: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    small = ["vla", "small", "flamingo", "--out", str(tmp_path / "small")]
    sizes = ["--width", "16", "--layers", "1", "--side", "32", "--words-of", str(root / "set")]
    assert run(app, [*small, *sizes]).exit_code == 0
    listed = run(app, ["vla", "adapters"]).output
    assert all(name in listed for name in ("paligemma", "llava", "flamingo", "generic"))
    assert "perceiver" not in run(app, ["vla", "study", str(tmp_path / "small")]).output
    file = tmp_path / "vla.yaml"
    values = configuration(root, backbone={"path": str(tmp_path / "small")})
    file.write_text(yaml.safe_dump(values.model_dump(mode="json")))
    made = run(app, ["vla", "recipe", str(file), "--out", str(tmp_path / "recipe")])
    assert made.exit_code == 0, made.output
    assert (tmp_path / "recipe" / "words" / "model.onnx").is_file()
    out = tmp_path / "bench.json"
    measured = run(app, ["vla", "bench", str(root / "onnx"), "--runs", "2", "--out", str(out)])
    assert measured.exit_code == 0, measured.output
    assert "p95_ms" in out.read_text()
