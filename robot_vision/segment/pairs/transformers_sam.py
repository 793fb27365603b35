"""SAM as Optimum exports it for transformers.js (`vision_encoder`, `prompt_encoder_mask_decoder`).

Encoder: `pixel_values` [1, 3, S, S], padded; outputs `image_embeddings` and
`image_positional_embeddings`. Decoder: these, `input_points` [1, p, k, 2] and `input_labels` i64
[1, p, k]; outputs `pred_masks` [1, p, 3, S/4, S/4] and `iou_scores` [1, p, 3]. It takes neither
boxes nor earlier masks.
"""

import numpy as np
from jaxtyping import Float32

from robot_vision.core.manifests.segmenter_manifest import PictureInput
from robot_vision.segment.pair import (
    Candidates,
    Graph,
    Tensors,
    Tokens,
    register_pair,
    wanted_names,
)
from robot_vision.segment.picture import padded

_EMBEDDINGS = ("image_embeddings", "image_positional_embeddings")


class TransformersSam:
    name = "transformers_sam"
    about = "SAM or SlimSAM by Optimum, for transformers.js: points only"
    picture = PictureInput(side_px=1024)
    prompts_axis = ("input_points", 1)
    takes_boxes = False
    takes_masks = False

    def recognises(self, encoder: Graph, decoder: Graph) -> bool:
        return (
            set(encoder.inputs) == {"pixel_values"}
            and set(_EMBEDDINGS) <= set(encoder.outputs)
            and wanted_names(decoder, (*_EMBEDDINGS, "input_points", "input_labels"))
            and {"pred_masks", "iou_scores"} <= set(decoder.outputs)
        )

    def feed_encoder(
        self, pixels: Float32[np.ndarray, "3 rows columns"], side_px: int, encoder: Graph
    ) -> Tensors:
        del encoder
        return {"pixel_values": padded(pixels, side_px)}

    def feed_decoder(self, embedding: Tensors, tokens: Tokens, decoder: Graph) -> Tensors:
        """The graph adds the padding point itself."""
        return {name: embedding[name] for name in _EMBEDDINGS} | {
            "input_points": tokens.xy_px[None],
            "input_labels": tokens.label[None].astype(decoder.dtypes["input_labels"]),
        }

    def read(self, outputs: Tensors) -> Candidates:
        return Candidates(logits=outputs["pred_masks"][0], score=outputs["iou_scores"][0])


register_pair(TransformersSam())
