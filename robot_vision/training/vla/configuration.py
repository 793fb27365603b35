"""A vision-language-action model's configuration, in the field's usual names.

`backbone`, `action_head`, `history_length`, `action_chunk_size` and a block `training`, as YAML
or JSON; `recipe` converts it to one of our recipes.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, faults_of, param
from robot_vision.core.parameters.values import load_yaml

# RoboVLMs' names of its heads.
HEAD_NAMES = {"FCDecoder": "mlp", "LSTMDecoder": "lstm", "GPTDecoder": "transformer"}


class BackboneChoice(Params):
    """The vision-language model."""

    path: str = param("", "folder: config.json, *.safetensors and tokenizer.json")
    adapter: str = param(
        "", "the adapter that locates its parts; empty: by the config's model_type"
    )


class ActionHead(Params):
    """The head that turns the read-out tokens into actions."""

    type: str = param("mlp", "a head of ours, or FCDecoder, LSTMDecoder, GPTDecoder")
    options: dict[str, Any] = param({}, "options of the head")


class Training(Params):
    """How it is trained."""

    batch_size: int = param(16, "samples of a step", ge=1)
    accumulate_grad_batches: int = param(1, "parts into which a step's batch is split", ge=1)
    learning_rate: float = param(3e-4, "highest learning rate", gt=0, le=1)
    min_lr_scale: float = param(0.01, "final learning rate, as a fraction of it", ge=0, le=1)
    weight_decay: float = param(0.0, "of weights with two or more dimensions", ge=0, le=1)
    warmup_steps: int = param(200, "until the highest learning rate", ge=0)
    gradient_clip_val: float = param(1.0, "gradients are clipped to this norm", gt=0)
    max_steps: int = param(0, "steps of the run; 0: by time", ge=0)
    max_minutes: float = param(0.0, "minutes of the run; 0: by steps", ge=0)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = param("auto", "of the forward pass")
    gradient_checkpointing: bool = param(False, "recompute activations to save memory")
    freeze_backbone: bool = param(False, "the vision-language model stays frozen")
    train_vision: bool = param(True, "its vision tower also learns")
    lora_enable: bool = param(False, "train only low-rank adapters")
    lora_r: int = param(16, "their rank", ge=1, le=1024)
    lora_alpha: float = param(16.0, "their output is scaled by this over the rank", gt=0)
    lora_dropout: float = param(0.0, "of their inputs", ge=0, lt=1)
    seed: int = param(0, "of weights and order", ge=0)


class Data(Params):
    """Demonstrations, in LeRobot's layout or RLDS."""

    train_sets: list[str] = param([], "training folders")
    val_sets: list[str] = param([], "held-out folders; empty: a share of the others")
    meaning: str = param("", "YAML file: the meaning of numbers in foreign sets")
    cameras: list[str] = param(["front"], "cameras of the policy")
    state: Literal["none", "tool", "joints"] = param("tool", "the arm's state that it gets")
    instructions: bool = param(True, "it gets the instruction")
    max_text_len: int = param(32, "tokens of the longest instruction", ge=2, le=512)


class VlaConfig(Params):
    """The whole configuration."""

    backbone: BackboneChoice = BackboneChoice()
    action_head: ActionHead = ActionHead()
    action_tokens: int = param(4, "learnt tokens read out of the backbone", ge=1, le=64)
    history_length: int = param(1, "moments remembered, including the present one", ge=1, le=64)
    action_chunk_size: int = param(16, "steps of a chunk of actions", ge=1, le=64)
    training: Training = Training()
    data: Data = Data()


def read_configuration(file: Path) -> VlaConfig:
    """Read a YAML or JSON file; raises `ConfigError` with each wrong field."""
    try:
        return VlaConfig.model_validate(load_yaml(file))
    except ValidationError as error:
        raise ConfigError(f"{file}: {faults_of(error)}") from error
