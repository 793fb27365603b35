"""Small vision-language models with random weights, for tests."""

from collections.abc import Callable
from typing import Any

import torch

from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.models.policies.pixel_spec import PartChoice
from robot_vision.models.vla.library import transformers
from robot_vision.models.vla.policy import VlmPolicy
from robot_vision.models.vla.small import small_config
from robot_vision.models.vla.spec import BackboneSpec, VlmPolicySpec

WIDTH, SIDE_PX = 16, 32
_TEXT = {
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 64,
    "pad_token_id": 0,
}
_VISION = {
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": SIDE_PX,
    "patch_size": 8,
}


def config_of(kind: str) -> dict[str, Any]:
    """Of one of the three, or of an architecture without an adapter."""
    others: dict[str, Callable[[], dict[str, Any]]] = {"smolvlm": smolvlm, "git": git}
    if kind in others:
        return others[kind]()
    return small_config(kind, width=WIDTH, layers=1, side_px=SIDE_PX, words=64)


def smolvlm() -> dict[str, Any]:
    return {
        "model_type": "smolvlm",
        "text_config": {"model_type": "llama", **_TEXT},
        "vision_config": dict(_VISION),
        "scale_factor": 2,
        "image_token_id": 63,
    }


def git() -> dict[str, Any]:
    """Its words and pictures are read by a module that takes neither apart."""
    own = {k: v for k, v in _TEXT.items() if k not in ("num_key_value_heads",)}
    special = {"bos_token_id": 1, "eos_token_id": 2}
    return {"model_type": "git", "vision_config": dict(_VISION), **own, **special}


def model_of(kind: str, seed: int = 0) -> Any:
    """The model of transformers, in evaluation mode."""
    config = config_of(kind)
    library = transformers()
    torch.manual_seed(seed)
    made = library.AutoConfig.for_model(config.pop("model_type"), **config)
    return library.AutoModel.from_config(made).eval()


def spec_of(kind: str = "paligemma", adapter: str = "", **changes: Any) -> VlmPolicySpec:
    """Of a tiny policy with two cameras, words and the arm's state."""
    cameras = tuple(
        CameraInput(name=name, width_px=SIDE_PX, height_px=SIDE_PX) for name in ("front", "wrist")
    )
    values: dict[str, Any] = {
        "observation": ObservationSpec(cameras=cameras, words="sentence"),
        "backbone": BackboneSpec(adapter=adapter or kind, config=config_of(kind)),
        "action_tokens": 2,
        "text_width": WIDTH,
        "max_words": 4,
        "fusion": PartChoice(name="transformer", options={"layers": 1}),
        "head": PartChoice(name="mlp", options={"hidden": 16, "blocks": 1}),
        "width": 16,
        "horizon": 3,
    }
    return VlmPolicySpec.model_validate(values | changes)


def policy_of(kind: str = "paligemma", adapter: str = "", **changes: Any) -> VlmPolicy:
    torch.manual_seed(0)
    return VlmPolicy(spec_of(kind, adapter, **changes)).eval()
