"""Options of a vision-language-action model: its backbone, and which parts are trained."""

from typing import Any

from pydantic import model_validator

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.policies.pixel_spec import ChunkPolicySpec


class BackboneSpec(Params):
    """A vision-language model, given by its `config.json`."""

    adapter: str = param(
        "paligemma", "adapter that locates its parts; `robot-vision vla adapters`"
    )
    config: dict[str, Any] = param({}, "its config.json, with `model_type`")
    folder: str = param("", "folder of its initial weights (safetensors); empty: random")
    image_mean: tuple[float, ...] = param((), "mean of pixels, 0 to 1; empty: the adapter's")
    image_std: tuple[float, ...] = param((), "deviation of pixels; empty: the adapter's")

    @model_validator(mode="after")
    def _colors_are_three(self) -> "BackboneSpec":
        for name in ("image_mean", "image_std"):
            if len(value := getattr(self, name)) not in (0, 3):
                raise ValueError(f"{name} = {value}: expected a number for red, green and blue")
        return self


class LoraSpec(Params):
    """Low-rank adapters (arXiv:2106.09685) in the backbone, the rest of which is then frozen."""

    rank: int = param(0, "rank of the added matrices; 0: none", ge=0, le=1024)
    alpha: float = param(16.0, "scale of the added matrices, divided by the rank", gt=0, le=4096)
    dropout: float = param(0.0, "dropout of their inputs in training", ge=0, lt=1)
    targets: tuple[str, ...] = param(
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        "suffixes of the names of linear layers",
    )


class VlmPolicySpec(ChunkPolicySpec):
    """Sizes and parts of a `VlmPolicy`."""

    backbone: BackboneSpec = param(BackboneSpec(), "the vision-language model")
    action_tokens: int = param(
        4, "learnt tokens after the words, whose outputs are used", ge=1, le=64
    )
    freeze_backbone: bool = param(False, "keep the vision-language model frozen")
    freeze_vision: bool = param(False, "keep its vision tower frozen")
    lora: LoraSpec = param(LoraSpec(), "low-rank adapters of the backbone")

    @model_validator(mode="after")
    def _fits_a_backbone(self) -> "VlmPolicySpec":
        seen = self.observation
        if not seen.cameras:
            raise ValueError("observation.cameras is empty: expected a camera for the backbone")
        deep = [camera.name for camera in seen.cameras if camera.has_depth]
        if deep:
            raise ValueError(
                f"cameras {', '.join(deep)} have depth: a vision-language model takes color alone"
            )
        other = sorted(set(seen.perception) - {"tracks"})
        if other:
            raise ValueError(f"observation.perception has {', '.join(other)}: expected tracks")
        if seen.words == "vocabulary":
            raise ValueError(
                "observation.words = vocabulary: expected sentence (the backbone's own words, "
                "by `robot-vision vla recipe`) or none"
            )
        if self.freeze_backbone and self.lora.rank:
            raise ValueError("freeze_backbone and lora.rank: expected one of the two")
        return self
