"""OWL-ViT (arXiv:2205.06230) and OWLv2 (arXiv:2306.09683): boxes for words.

Two networks: one encodes the words when they change, the other finds them in each frame.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from robot_vision.core.manifests.manifest import ModelManifest, PromptEncoder
from robot_vision.foundation.family import Asked, Family, Made, register_family
from robot_vision.foundation.library import load, tokenizer
from robot_vision.foundation.model_folder import ModelFolder
from robot_vision.foundation.pictures import CLIP, Usual, square_input
from robot_vision.models.card import Graph

_CLASSES = {"owlvit": "OwlViTForObjectDetection", "owlv2": "Owlv2ForObjectDetection"}
_RESAMPLE = {"owlvit": 3, "owlv2": 2}
_PHRASES = 16
_TOKENIZER = "tokenizer.json"


class _Boxes(nn.Module):
    """Corners in pixels of the input, and the score of each box for each phrase."""

    def __init__(self, model: Any, side_px: int) -> None:
        super().__init__()
        self.model, self.side_px = model, side_px

    def forward(
        self,
        pixels: Float[Tensor, "1 3 side side"],
        prompt: Float[Tensor, "1 phrases 1 width"],
        prompt_mask: Bool[Tensor, "1 phrases 1"],
    ) -> tuple[Float[Tensor, "1 cells 4"], Float[Tensor, "1 cells phrases"]]:
        grid = self.model.image_embedder(pixel_values=pixels)[0]
        cells = grid.flatten(1, 2)
        logits, _ = self.model.class_predictor(cells, prompt[:, :, 0], prompt_mask[:, :, 0])
        centre, size = self.model.box_predictor(cells, grid).split(2, dim=-1)
        corners = torch.cat((centre - size / 2, centre + size / 2), dim=-1)
        return corners * self.side_px, logits.sigmoid()


class _Words(nn.Module):
    """An encoding of a phrase, of unit norm."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.text, self.projection = model.text_model, model.text_projection

    def forward(
        self,
        input_ids: Int64[Tensor, "phrases tokens"],
        attention_mask: Int64[Tensor, "phrases tokens"],
    ) -> tuple[Float[Tensor, "phrases width"]]:
        found = self.text(input_ids=input_ids, attention_mask=attention_mask)
        return (F.normalize(self.projection(found.pooler_output), dim=1),)


def _make(folder: ModelFolder, asked: Asked) -> Made:
    model: Any = load(folder, _CLASSES[folder.kind])
    side_px = int(model.config.vision_config.image_size)
    resample = _RESAMPLE[folder.kind]
    usual = Usual(size=side_px, is_square=True, resample=resample, mean_std=CLIP)
    image = square_input(folder, usual, is_padded=folder.kind == "owlv2")
    words = _words(getattr(model, folder.kind))
    width = int(model.config.projection_dim)
    graph = Graph(
        file="model.onnx",
        module=_Boxes(model, side_px),
        example={
            "pixels": torch.zeros(1, 3, side_px, side_px),
            "prompt": torch.zeros(1, _PHRASES, 1, width),
            "prompt_mask": torch.zeros(1, _PHRASES, 1, dtype=torch.bool),
        },
        outputs={"boxes_xyxy": "boxes_xyxy", "scores": "scores"},
    )
    manifest = ModelManifest(
        name=asked.name,
        task="grounding",
        format="grounding",
        input=image,
        outputs=graph.outputs,
        prompt=PromptEncoder(
            tokenizer=_TOKENIZER,
            max_tokens=words.example["input_ids"].shape[1],
            phrases=_PHRASES,
            tokens=1,
            width=width,
        ),
        score_threshold=asked.score_threshold,
    )
    return Made(
        graph=graph,
        manifest=manifest,
        inputs=_example_prompt(width),
        language=words,
        texts={_TOKENIZER: tokenizer(folder, "CLIPTokenizer").backend_tokenizer.to_str()},
        notes=_notes(folder),
    )


def _words(model: Any) -> Graph:
    length = int(model.config.text_config.max_position_embeddings)
    end = int(model.config.text_config.vocab_size) - 1  # where the whole phrase is read
    tokens = torch.arange(1, length + 1)[None].clamp(max=end)
    tokens[0, length // 2 :] = 0
    tokens[0, length // 2] = end
    return Graph(
        file="language.onnx",
        module=_Words(model),
        example={"input_ids": tokens, "attention_mask": (tokens > 0).long()},
        outputs={"encoding": "encoding"},
    )


def _example_prompt(width: int) -> dict[str, np.ndarray]:
    """Three of the sixteen phrases, with the unit norm of real ones."""
    mask = (np.arange(_PHRASES) < 3)[None, :, None]
    prompt = np.random.default_rng(0).normal(size=(1, _PHRASES, 1, width)).astype(np.float32)
    prompt /= np.linalg.norm(prompt, axis=3, keepdims=True)
    return {"prompt": prompt * mask[..., None], "prompt_mask": mask}


def _notes(folder: ModelFolder) -> tuple[str, ...]:
    asked = f"prompted by up to {_PHRASES} phrases on ~/prompt, separated by commas"
    if folder.kind == "owlvit":
        return (asked,)
    return (
        asked,
        "the library smooths pictures by a Gaussian before scaling; here they are scaled as by "
        "Pillow",
    )


register_family(
    Family(
        name="owl",
        about="boxes for words that change while it runs",
        classes=_CLASSES,
        make=_make,
        options=("score_threshold",),
    )
)
