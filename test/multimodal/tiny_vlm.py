"""A tiny LLaVA with random weights, written as `save_pretrained` writes large ones."""

from pathlib import Path

import torch
from references import transformers as import_transformers

_WORDS = [
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "<image>",
    "red",
    "green",
    "blue",
    "ball",
    "block",
    "mug",
    "yes",
    "no",
    "none",
    "one",
    "two",
    "a",
    "the",
]


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


def _tokenizer(t: object) -> object:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: number for number, word in enumerate(_WORDS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    return t.PreTrainedTokenizerFast(  # pyright: ignore[reportAttributeAccessIssue]
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
        additional_special_tokens=["<image>"],
    )
