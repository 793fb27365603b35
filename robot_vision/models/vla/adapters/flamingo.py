"""Flamingo as rebuilt by IDEFICS: words attend to resampled pictures through gated layers."""

from robot_vision.models.vla.adapter import ADAPTERS, CLIP_MEAN, CLIP_STD, VlmAdapter, square


@ADAPTERS.register("flamingo")
class Flamingo(VlmAdapter):
    """arXiv:2204.14198; needs a config with `use_resampler`."""

    model_types = ("idefics",)
    model = text_tower = property(lambda self: self.backbone)
    hidden_size = property(lambda self: self.model.config.hidden_size)
    word_embedding = property(lambda self: self.model.embed_tokens)
    vision_tower = property(lambda self: self.model.vision_model)
    image_processor = property(lambda self: square(self.model.image_size, CLIP_MEAN, CLIP_STD))

    def encode_images(self, pixels):
        return self.model.perceiver_resampler(self.vision_tower(pixels).last_hidden_state)

    def read(self, images, words):
        sees = images.present[:, None].expand(-1, words.present.shape[1], -1)
        return self.text_tower(
            inputs_embeds=words.values,
            attention_mask=self.visible(words.present, words.values.dtype),
            position_ids=self.positions(words.present),
            perceiver_embeddings=images.values.flatten(0, 1)[:, None],
            image_attention_mask=sees.float(),
            use_cache=False,
        ).last_hidden_state
