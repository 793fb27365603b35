"""Example of your own adapter, for SmolVLM. Put the file into robot_vision/models/vla/adapters.

Its vision tower is SigLIP's, whose patches a connector shuffles into fewer tokens; these form one
sequence with the text tokens of a causal decoder.
"""

from robot_vision.models.vla.adapter import ADAPTERS, HALF, VlmAdapter, square


@ADAPTERS.register("smolvlm")
class SmolVlm(VlmAdapter):
    """arXiv:2504.05299. Pictures are processed whole, not in tiles."""

    model_types = ("smolvlm",)
    model = property(lambda self: self.backbone)
    hidden_size = property(lambda self: self.model.config.text_config.hidden_size)
    word_embedding = property(lambda self: self.model.text_model.embed_tokens)
    text_tower = property(lambda self: self.model.text_model)
    vision_tower = property(lambda self: self.model.vision_model)
    image_processor = property(
        lambda self: square(self.model.config.vision_config.image_size, HALF, HALF)
    )

    def encode_images(self, pixels):
        return self.model.connector(self.vision_tower(pixels).last_hidden_state)
