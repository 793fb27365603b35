"""PaliGemma: SigLIP, a projector and Gemma, which scales its word embeddings itself."""

from jaxtyping import Float
from torch import Tensor

from robot_vision.models.vla.adapter import ADAPTERS, HALF, VlmAdapter, square


@ADAPTERS.register("paligemma")
class PaliGemma(VlmAdapter):
    """arXiv:2407.07726. Attention in the prefix is bidirectional; positions start at 1."""

    model_types = ("paligemma",)
    sees_ahead, first_position = True, 1
    model = property(lambda self: self.backbone)
    hidden_size = property(lambda self: self.model.config.text_config.hidden_size)
    word_embedding = property(lambda self: self.model.language_model.embed_tokens)
    text_tower = property(lambda self: self.model.language_model)
    vision_tower = property(lambda self: self.model.vision_tower)
    image_processor = property(
        lambda self: square(self.model.config.vision_config.image_size, HALF, HALF)
    )

    def encode_images(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        return self.model.multi_modal_projector(self.vision_tower(pixels).last_hidden_state)
