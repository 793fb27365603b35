"""LLaVA: CLIP's patches, projected by two layers, precede the words of a causal decoder."""

import torch
from jaxtyping import Float
from torch import Tensor

from robot_vision.models.vla.adapter import ADAPTERS, CLIP_MEAN, CLIP_STD, VlmAdapter, square


@ADAPTERS.register("llava")
class Llava(VlmAdapter):
    """arXiv:2304.08485. Its config says which layer of the vision tower is read."""

    model_types = ("llava",)
    model = property(lambda self: self.backbone)
    hidden_size = property(lambda self: self.model.config.text_config.hidden_size)
    word_embedding = property(lambda self: self.model.language_model.embed_tokens)
    text_tower = property(lambda self: self.model.language_model)
    vision_tower = property(lambda self: self.model.vision_tower)
    image_processor = property(
        lambda self: square(self.model.config.vision_config.image_size, CLIP_MEAN, CLIP_STD)
    )

    def encode_images(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        return torch.stack(list(self.model.get_image_features(pixels).pooler_output))
