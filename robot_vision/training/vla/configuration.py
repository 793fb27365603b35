"""A vision-language-action model's configuration, in the names that the field has for it.

`backbone`, `action_head`, `history_length`, `action_chunk_size` and a block `training`, as YAML
or JSON; `recipe` makes one of ours of it.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from robot_vision.core.config import load_yaml
from robot_vision.core.errors import ConfigError
from robot_vision.core.params import Params, faults_of, param

# What RoboVLMs calls its heads.
HEAD_NAMES = {"FCDecoder": "mlp", "LSTMDecoder": "lstm", "GPTDecoder": "transformer"}


class BackboneChoice(Params):
    """The vision-language model."""

    path: str = param("", "folder: config.json, *.safetensors and tokenizer.json")
    adapter: str = param("", "what says where its parts are; empty: by the config's model_type")


class ActionHead(Params):
    """What makes actions of the tokens that are read out."""

    type: str = param("mlp", "a head of ours, or FCDecoder, LSTMDecoder, GPTDecoder")
    options: dict[str, Any] = param({}, "options of the head")


class Training(Params):
    """How it is trained."""

    batch_size: int = param(16, "samples of a step", ge=1)
    accumulate_grad_batches: int = param(1, "parts that a step's batch is computed in", ge=1)
    learning_rate: float = param(3e-4, "highest learning rate", gt=0, le=1)
    min_lr_scale: float = param(0.01, "the last one, as a part of it", ge=0, le=1)
    weight_decay: float = param(0.0, "of weights of two dimensions and more", ge=0, le=1)
    warmup_steps: int = param(200, "until the highest learning rate", ge=0)
    gradient_clip_val: float = param(1.0, "gradients are clipped to this norm", gt=0)
    max_steps: int = param(0, "steps of the run; 0: by time", ge=0)
    max_minutes: float = param(0.0, "minutes of the run; 0: by steps", ge=0)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = param("auto", "of the forward pass")
    gradient_checkpointing: bool = param(False, "compute activations again to save memory")
    freeze_backbone: bool = param(False, "the vision-language model stays as it is")
    train_vision: bool = param(True, "its vision tower learns as well")
    lora_enable: bool = param(False, "learn by low-rank adapters alone")
    lora_r: int = param(16, "their rank", ge=1, le=1024)
    lora_alpha: float = param(16.0, "what they add is multiplied by this over the rank", gt=0)
    lora_dropout: float = param(0.0, "of their inputs", ge=0, lt=1)
    seed: int = param(0, "of weights and order", ge=0)


class Data(Params):
    """Demonstrations, in LeRobot's layout or RLDS."""

    train_sets: list[str] = param([], "folders that are learnt from")
    val_sets: list[str] = param([], "held-out folders; empty: a share of the others")
    meaning: str = param("", "YAML file: what numbers of foreign sets mean")
    cameras: list[str] = param(["front"], "cameras that the policy sees by")
    state: Literal["none", "tool", "joints"] = param("tool", "what of the arm it is shown")
    instructions: bool = param(True, "it is shown what was said")
    max_text_len: int = param(32, "tokens of the longest instruction", ge=2, le=512)


class VlaConfig(Params):
    """The whole configuration."""

    backbone: BackboneChoice = BackboneChoice()
    action_head: ActionHead = ActionHead()
    action_tokens: int = param(4, "learnt tokens that are read out of the backbone", ge=1, le=64)
    history_length: int = param(
        1, "moments that are remembered, the present one included", ge=1, le=64
    )
    action_chunk_size: int = param(16, "steps of a chunk of actions", ge=1, le=64)
    training: Training = Training()
    data: Data = Data()


def read_configuration(file: Path) -> VlaConfig:
    """Of a YAML or JSON file; raises `ConfigError` with each field that is wrong."""
    try:
        return VlaConfig.model_validate(load_yaml(file))
    except ValidationError as error:
        raise ConfigError(f"{file}: {faults_of(error)}") from error
