"""CLIP (Radford et al. 2021, arXiv:2103.00020): a zero-shot classifier for given words.

The words are encoded once, here; the robot runs a plain picture classifier.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.manifest import ModelManifest, OutputReading
from robot_vision.foundation.family import Asked, Family, Made, register_family
from robot_vision.foundation.library import load, tokenizer
from robot_vision.foundation.model_folder import ModelFolder
from robot_vision.foundation.pictures import CLIP, Usual, cropped_input
from robot_vision.models.card import Graph

_CLASSES = {"clip": "CLIPModel"}


class _ByWords(nn.Module):
    """Cosines with the words' embeddings, times the learnt temperature."""

    def __init__(self, model: Any, words: Float[Tensor, "words width"]) -> None:
        super().__init__()
        self.vision, self.projection = model.vision_model, model.visual_projection
        self.weight = nn.Buffer(words * model.logit_scale.exp().detach())

    def forward(self, pixels: Float[Tensor, "1 3 side side"]) -> tuple[Float[Tensor, "1 words"]]:
        pooled = self.vision(pixel_values=pixels).pooler_output
        return (F.normalize(self.projection(pooled), dim=1) @ self.weight.T,)


def _make(folder: ModelFolder, asked: Asked) -> Made:
    words = asked.words
    if len(words) < 2 or len(set(words)) < len(words):
        raise ConfigError(
            f"words {', '.join(words) or 'none'!r}: expected two or more different ones, which "
            "compete (--words 'cup,bowl,nothing of interest')"
        )
    if asked.template.count("{}") != 1:
        raise ConfigError(f"template {quoted(asked.template)}: expected one {{}} for the word")
    model: Any = load(folder, _CLASSES[folder.kind])
    side = int(model.config.vision_config.image_size)
    image = cropped_input(folder, Usual(size=side, is_square=False, resample=3, mean_std=CLIP))
    if (image.width_px, image.height_px) != (side, side):
        raise ConfigError(
            f"{folder.path}: pictures have {image.width_px}×{image.height_px} pixels, and the "
            f"model takes {side}×{side}"
        )
    graph = Graph(
        file="model.onnx",
        module=_ByWords(model, _encoded(folder, model, asked)),
        example={"pixels": torch.zeros(1, 3, side, side)},
        outputs={"output": "logits"},
    )
    manifest = ModelManifest(
        name=asked.name,
        task="classification",
        format="classification",
        input=image,
        outputs=graph.outputs,
        reading=OutputReading(scores="logits"),
        classes=words,
    )
    return Made(graph=graph, manifest=manifest, notes=_notes(folder, side, asked))


def _encoded(folder: ModelFolder, model: Any, asked: Asked) -> Float[Tensor, "words width"]:
    sentences = [asked.template.format(word) for word in asked.words]
    tokens = tokenizer(folder, "CLIPTokenizer")(sentences, padding=True, return_tensors="pt")
    longest, most = tokens["input_ids"].shape[1], model.config.text_config.max_position_embeddings
    if longest > most:
        raise ConfigError(
            f"the longest of the words has {longest} tokens; expected {most} at most"
        )
    with torch.inference_mode():
        found = model.get_text_features(**tokens).pooler_output
    return F.normalize(found, dim=1).clone()


def _notes(folder: ModelFolder, side: int, asked: Asked) -> tuple[str, ...]:
    notes = [f"classes by words: {', '.join(map(asked.template.format, asked.words))}"]
    size = folder.processor.get("size", side)
    shorter = size.get("shortest_edge", side) if isinstance(size, dict) else size
    if shorter != side:
        notes.append(
            f"the library scales to {shorter} pixels and crops {side} from these; here the "
            f"shorter side has {side}, and more of the picture is seen"
        )
    return tuple(notes)


register_family(
    Family(
        name="clip",
        about="classifier of whole pictures by any words, chosen when it is imported",
        classes=_CLASSES,
        make=_make,
        options=("words", "template"),
    )
)
