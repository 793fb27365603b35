"""Configs of small vision-language models to train from scratch, for trials and tests."""

from collections.abc import Callable
from typing import Any

from robot_vision.core.errors import UnknownNameError

PATCH_PX = 8
WORDS = 512


def small_config(
    kind: str, *, width: int, layers: int, side_px: int, words: int = WORDS
) -> dict[str, Any]:
    """A `config.json` of an architecture of transformers; raises `UnknownNameError`.

    `width` is that of tokens in both towers, a multiple of 8; `words` the size of the vocabulary.
    """
    if kind not in SMALL:
        raise UnknownNameError(f"no small config of {kind!r}; available: {', '.join(SMALL)}")
    return SMALL[kind](width, layers, side_px, words)


def _tower(width: int, layers: int) -> dict[str, int]:
    return {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
    }


def _paligemma(width: int, layers: int, side_px: int, words: int) -> dict[str, Any]:
    text = _tower(width, layers) | {
        "model_type": "gemma",
        "num_key_value_heads": 1,
        "head_dim": width // 4,
        "vocab_size": words,
    }
    vision = _tower(width, layers) | {
        "model_type": "siglip_vision_model",
        "image_size": side_px,
        "patch_size": PATCH_PX,
        "projection_dim": width,
        "vision_use_head": False,
    }
    return {
        "model_type": "paligemma",
        "hidden_size": width,
        "projection_dim": width,
        "image_token_index": words - 1,
        "text_config": text,
        "vision_config": vision,
    }


def _llava(width: int, layers: int, side_px: int, words: int) -> dict[str, Any]:
    text = _tower(width, layers) | {"model_type": "llama", "vocab_size": words}
    vision = _tower(width, layers + 1) | {
        "model_type": "clip_vision_model",
        "image_size": side_px,
        "patch_size": PATCH_PX,
    }
    return {
        "model_type": "llava",
        "image_token_index": words - 1,
        "text_config": text,
        "vision_config": vision,
    }


def _flamingo(width: int, layers: int, side_px: int, words: int) -> dict[str, Any]:
    return _tower(width, layers) | {
        "model_type": "idefics",
        "vocab_size": words,
        "additional_vocab_size": 0,
        "cross_layer_interval": 1,
        # Gates start open: trained from scratch there is no language model to preserve.
        "alpha_initializer": "ones",
        "use_resampler": True,
        "vision_config": _tower(width, layers)
        | {"embed_dim": width, "image_size": side_px, "patch_size": PATCH_PX},
        "perceiver_config": {
            "resampler_n_latents": 16,
            "resampler_depth": layers,
            "resampler_n_heads": 4,
            "resampler_head_dim": width // 4,
        },
    }


SMALL: dict[str, Callable[[int, int, int, int], dict[str, Any]]] = {
    "paligemma": _paligemma,
    "llava": _llava,
    "flamingo": _flamingo,
}
