"""A tiny LLaVA with random weights, written as `save_pretrained` writes large ones."""

from pathlib import Path
from typing import Any

import torch
from references import transformers as import_transformers

_MARKS = ("<pad>", "<eos>", "<bos>", "<unk>", "<image>")
_WORDS = (*_MARKS, "red", "green", "blue", "ball", "block", "mug", "yes", "no", "none", "two")


def write_tiny_vlm(folder: Path, *, with_template: bool = False) -> Path:
    """A model that says words of its own choice; returns the folder."""
    t = import_transformers()
    torch.manual_seed(0)
    vision = t.CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=16,
    )
    text = t.LlamaConfig(
        vocab_size=len(_WORDS),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
    )
    config = t.LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=4, image_seq_length=16
    )
    t.LlavaForConditionalGeneration(config).save_pretrained(folder)
    processor = t.LlavaProcessor(
        t.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        _tokenizer(t),
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE if with_template else None,
    )
    processor.save_pretrained(folder)
    return folder


_TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}"
    "{% endfor %}{% endfor %}"
)


def _tokenizer(t: Any) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    pad, end, begin, unknown, image = _MARKS
    words = {word: number for number, word in enumerate(_WORDS)}
    tokenizer: Any = Tokenizer(models.WordLevel(words, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return t.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        eos_token=end,
        bos_token=begin,
        unk_token=unknown,
        additional_special_tokens=[image],
    )
