"""Turns SAM from a transformers folder into a bundle: encoder and decoder as ONNX, verified."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.export import Dim

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.segmenter_manifest import PictureInput, SegmenterManifest
from robot_vision.export.graph import export_graph
from robot_vision.foundation.library import load
from robot_vision.foundation.model_folder import ModelFolder, read_folder
from robot_vision.model_store.onnx_open import open_onnx
from robot_vision.model_store.segmenters import SegmenterBundle, write_segmenter
from robot_vision.models.card import Graph

_PAIR = "sam"
_MOST_PROMPTS, _MOST_POINTS = 1024, 128
_MOST_DIFFERENCE = 1e-4
_LIMITS = "Not measured with real weights by this project."


def export_sam(
    folder: Path, out: Path, *, name: str = "", licence: str = "unknown"
) -> SegmenterBundle:
    """Write the bundle of a transformers folder (`config.json`, `*.safetensors`).

    Raises `ConfigError` for any other folder, `MissingDependencyError` without
    transformers; `BundleError` if ONNX Runtime's results differ from torch's.
    """
    found = read_folder(folder)
    if found.kind != "sam":
        raise ConfigError(
            f"{folder}/config.json has model_type {quoted(found.kind)}; "
            "expected 'sam' (a SamModel as save_pretrained writes it)"
        )
    model = load(found, "SamModel")
    encoder, decoder = _encoder(model), _decoder(model)
    with tempfile.TemporaryDirectory() as made:
        files = [export_graph(graph, Path(made) / graph.file) for graph in (encoder, decoder)]
        for graph, file in zip((encoder, decoder), files, strict=True):
            _prove(graph, file)
        manifest = SegmenterManifest(
            name=name or folder.resolve().name,
            pair=_PAIR,
            picture=_picture(found, side_px=model.config.vision_config.image_size),
            licence=licence,
            description=f"SAM of {folder.resolve().name}, exported from transformers",
            limits=_LIMITS,
        )
        return write_segmenter(out, manifest, encoder=files[0], decoder=files[1])


class _Encoder(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, pixel_values: Float[Tensor, "1 3 side side"]
    ) -> tuple[Float[Tensor, "1 width rows columns"]]:
        return (self.model.get_image_embeddings(pixel_values),)


class _Decoder(nn.Module):
    """Prompts as points only: corners of boxes have the labels 2 and 3, padding has -1."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        prompts = model.prompt_encoder
        self.masks = model.mask_decoder
        self.mask_embed = prompts.mask_embed
        self.place = prompts.shared_embedding
        self.side = prompts.input_image_size
        labelled = [prompts.not_a_point_embed, *prompts.point_embed]
        self.label_embed = nn.Parameter(torch.cat([e.weight for e in labelled]).detach())
        self.no_mask = nn.Parameter(prompts.no_mask_embed.weight.detach().reshape(1, -1, 1, 1))
        everywhere = model.get_image_wide_positional_embeddings()
        self.everywhere = nn.Parameter(everywhere.detach())

    def forward(
        self,
        image_embeddings: Float[Tensor, "1 width rows columns"],
        point_coords: Float[Tensor, "prompts points 2"],
        point_labels: Float[Tensor, "prompts points"],
        mask_input: Float[Tensor, "prompts 1 mask_rows mask_columns"],
        has_mask_input: Float[Tensor, "1"],
    ) -> tuple[Float[Tensor, "prompts 4"], Float[Tensor, "prompts 4 mask_rows mask_columns"]]:
        count = point_coords.shape[0]
        sparse = self._points(point_coords, point_labels)
        dense = torch.where(has_mask_input > 0, self.mask_embed(mask_input), self.no_mask)
        image = image_embeddings.expand(count, -1, -1, -1)
        everywhere = self.everywhere.expand(count, -1, -1, -1)
        # With and without ambiguity: the first mask is for unambiguous prompts.
        sure, sure_score = self._decoded(image, everywhere, sparse, dense, several=False)
        others, scores = self._decoded(image, everywhere, sparse, dense, several=True)
        return torch.cat([sure_score, scores], dim=2)[:, 0], torch.cat([sure, others], dim=2)[:, 0]

    def _decoded(
        self,
        image: Float[Tensor, "prompts width rows columns"],
        everywhere: Float[Tensor, "prompts width rows columns"],
        sparse: Float[Tensor, "prompts 1 points width"],
        dense: Float[Tensor, "#prompts width #rows #columns"],
        *,
        several: bool,
    ) -> tuple[
        Float[Tensor, "prompts 1 masks mask_rows mask_columns"], Float[Tensor, "prompts 1 masks"]
    ]:
        masks, score = self.masks(
            image_embeddings=image,
            image_positional_embeddings=everywhere,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
        )
        return masks, score

    def _points(
        self, xy_px: Float[Tensor, "prompts points 2"], label: Float[Tensor, "prompts points"]
    ) -> Float[Tensor, "prompts 1 points width"]:
        at = self.place((xy_px + 0.5)[:, None], (self.side, self.side))
        is_point = (label >= 0)[:, None, :, None]
        known = torch.zeros_like(at)
        for number, row in enumerate(self.label_embed, start=-1):
            known = known + row * (label == number)[:, None, :, None]
        return at * is_point + known


def _encoder(model: Any) -> Graph:
    side = model.config.vision_config.image_size
    pixels = torch.zeros(1, 3, side, side)
    return Graph(
        file="encoder.onnx",
        module=_Encoder(model),
        example={"pixel_values": torch.rand_like(pixels)},
        outputs={"embedding": "image_embeddings"},
    )


def _decoder(model: Any) -> Graph:
    prompts = model.config.prompt_encoder_config
    cells, width = prompts.image_embedding_size, prompts.hidden_size
    generator = torch.Generator().manual_seed(0)
    count, points = 3, 4
    example = {
        "image_embeddings": torch.randn(1, width, cells, cells, generator=generator),
        "point_coords": torch.rand(count, points, 2, generator=generator) * prompts.image_size,
        "point_labels": torch.tensor([[1.0, 0.0, 2.0, 3.0], [1, 1, -1, -1], [0, 1, 2, 3]]),
        "mask_input": torch.randn(count, 1, 4 * cells, 4 * cells, generator=generator),
        "has_mask_input": torch.ones(1),
    }
    rows, columns = Dim("prompts", max=_MOST_PROMPTS), Dim("points", max=_MOST_POINTS)
    return Graph(
        file="decoder.onnx",
        module=_Decoder(model),
        example=example,
        outputs={"score": "iou_predictions", "masks": "low_res_masks"},
        dynamic={
            "point_coords": {0: rows, 1: columns},
            "point_labels": {0: rows, 1: columns},
            "mask_input": {0: rows},
        },
    )


def _prove(graph: Graph, file: Path) -> None:
    """Raise `BundleError` if ONNX Runtime's results differ from torch's."""
    with torch.inference_mode():
        expected = graph.module(*graph.example.values())
    given = {name: value.numpy() for name, value in graph.example.items()}
    found = open_onnx(file).run(list(graph.outputs.values()), given)
    for name, ours, theirs in zip(graph.outputs.values(), found, expected, strict=True):
        difference = float(np.abs(np.asarray(ours) - theirs.numpy()).max())
        if not difference <= _MOST_DIFFERENCE * max(1.0, float(theirs.abs().max())):
            raise BundleError(
                f"{graph.file}: {name} differs from torch by {difference:.2g}, expected at most "
                f"{_MOST_DIFFERENCE:g} of the largest value"
            )


def _picture(folder: ModelFolder, *, side_px: int) -> PictureInput:
    """As the folder's processor says, if it has one; else as SAM prepares pictures."""
    said = folder.processor
    longest = (said.get("size") or {}).get("longest_edge", side_px)
    if longest != side_px:
        raise ConfigError(
            f"{folder.path} resizes to {quoted(longest)} px, but the encoder takes {side_px} px"
        )
    named = {"scale": "rescale_factor", "mean": "image_mean", "std": "image_std"}
    given = {ours: said[theirs] for ours, theirs in named.items() if theirs in said}
    return PictureInput.model_validate({"side_px": side_px, **given})
