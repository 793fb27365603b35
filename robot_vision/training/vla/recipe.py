"""Turns a configuration and a backbone's folder into a recipe and the backbone's words."""

from pathlib import Path
from typing import Any

import yaml

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.disk import writing_to
from robot_vision.core.files.foreign import read_json
from robot_vision.models.vla.adapter import ADAPTERS, VlmAdapter, adapter_for
from robot_vision.models.vla.backbone import open_folder
from robot_vision.training.engine.recipes.recipe_file import recipe_of
from robot_vision.training.vla.configuration import HEAD_NAMES, VlaConfig
from robot_vision.training.vla.words import write_words

RECIPE_FILE = "recipe.yaml"
_WORDS = "words"
_PREPROCESSOR = "preprocessor_config.json"


def write_recipe(config: VlaConfig, out: Path) -> Path:
    """`recipe.yaml` for `robot-vision train`, and the backbone's words, in `out`.

    Raises `ConfigError` or `UnknownNameError` that names the mismatch.
    """
    if not config.backbone.path:
        raise ConfigError("backbone.path is empty: expected a folder with a vision-language model")
    folder = Path(config.backbone.path).expanduser()
    said = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    name = config.backbone.adapter or adapter_for(str(said.get("model_type", "")))
    adapter = ADAPTERS.get(name)(open_folder(folder))
    values = recipe_values(config, adapter, name=name, config_json=said, out=out)
    if config.data.instructions:
        write_words(adapter, folder, out / _WORDS)
    recipe_of(values)  # refused here, if at all
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
        (out / RECIPE_FILE).write_text(text, encoding="utf-8")
    return out / RECIPE_FILE


def recipe_values(
    config: VlaConfig, adapter: VlmAdapter, *, name: str, config_json: dict[str, Any], out: Path
) -> dict[str, Any]:
    """The recipe as written to a file; `name` is the adapter's, `config_json` the backbone's."""
    training, data = config.training, config.data
    memory = config.history_length > 1
    fusion = {"name": "transformer", "options": {"layers": 1}}
    if memory:
        fusion = {"name": "memory", "options": {"moments": config.history_length}}
    head = config.action_head
    options: dict[str, Any] = {
        "train_sets": data.train_sets,
        "val_sets": data.val_sets,
        "meaning": data.meaning,
        "horizon": config.action_chunk_size,
        "observation": _observation(config, adapter),
    }
    if memory:
        options["moments"] = {"count": config.history_length}
    if data.instructions:
        words = {"folder": str((out / _WORDS).resolve()), "max_tokens": data.max_text_len}
        options["sentences"] = words
    return {
        "task": "demonstrations",
        "model": "vlm-policy",
        "spec": {
            "backbone": _backbone(config, name, config_json),
            "action_tokens": config.action_tokens,
            "fusion": fusion,
            "head": {"name": HEAD_NAMES.get(head.type, head.type), "options": head.options},
            "freeze_backbone": training.freeze_backbone,
            "freeze_vision": not training.train_vision,
            "lora": _lora(config),
        },
        "run": _run(config),
        "optimizer": {
            "learning_rate": training.learning_rate,
            "last_learning_rate": training.min_lr_scale,
            "weight_decay": training.weight_decay,
            "warmup_steps": training.warmup_steps,
            "gradient_norm": training.gradient_clip_val,
        },
        "options": options,
    }


def _backbone(config: VlaConfig, name: str, config_json: dict[str, Any]) -> dict[str, Any]:
    folder = Path(config.backbone.path).expanduser().resolve()
    found: dict[str, Any] = {"adapter": name, "config": config_json, "folder": str(folder)}
    file = folder / _PREPROCESSOR
    said = read_json(file) if file.is_file() else {}
    for key in ("image_mean", "image_std"):
        if key in said:
            found[key] = said[key]
    return found


def _observation(config: VlaConfig, adapter: VlmAdapter) -> dict[str, Any]:
    size = adapter.image_processor
    return {
        "cameras": [
            {"name": camera, "width_px": size.width_px, "height_px": size.height_px}
            for camera in config.data.cameras
        ],
        "state": config.data.state,
        "words": "sentence" if config.data.instructions else "none",
    }


def _lora(config: VlaConfig) -> dict[str, Any]:
    training = config.training
    if not training.lora_enable:
        return {"rank": 0}
    return {
        "rank": training.lora_r,
        "alpha": training.lora_alpha,
        "dropout": training.lora_dropout,
    }


def _run(config: VlaConfig) -> dict[str, Any]:
    training = config.training
    return {
        "seed": training.seed,
        "batch_size": training.batch_size,
        "accumulate": training.accumulate_grad_batches,
        "precision": training.precision,
        "recompute": training.gradient_checkpointing,
        "steps": training.max_steps,
        "budget_minutes": training.max_minutes,
    }
