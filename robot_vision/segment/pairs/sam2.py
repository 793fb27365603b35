"""SAM 2 (image part) as its common exports write it (samexporter, export-sam2, darktable's).

Encoder: `image` [1, 3, S, S], stretched; outputs `image_embed`, `high_res_feats_0`,
`high_res_feats_1`, which the decoder takes under the same names, with `point_coords` [p, k, 2],
`point_labels` [p, k], `mask_input` [p, 1, S/4, S/4], `has_mask_input` [1] and, in older ones,
`orig_im_size` [2]. It adds the padding point itself. Outputs `low_res_masks`, or `masks`
if there are none, over the whole square; and `iou_predictions`.
"""

import numpy as np
from jaxtyping import Float32

from robot_vision.core.manifests.segmenter_manifest import PictureInput
from robot_vision.segment.pair import (
    Candidates,
    Graph,
    Tensors,
    Tokens,
    earlier_masks,
    register_pair,
    wanted_names,
)

_EMBEDDINGS = ("image_embed", "high_res_feats_0", "high_res_feats_1")
_PROMPTS = ("point_coords", "point_labels", "mask_input", "has_mask_input")
_SIZE = "orig_im_size"


class Sam2:
    name = "sam2"
    about = "SAM 2 and 2.1 of single pictures, with two maps of finer features"
    picture = PictureInput(side_px=1024, resize="stretch")
    prompts_axis = ("point_coords", 0)
    takes_boxes = True
    takes_masks = True

    def recognises(self, encoder: Graph, decoder: Graph) -> bool:
        return (
            len(encoder.inputs) == 1
            and set(_EMBEDDINGS) <= set(encoder.outputs)
            and wanted_names(decoder, (*_EMBEDDINGS, *_PROMPTS), optional=(_SIZE,))
            and "iou_predictions" in decoder.outputs
        )

    def feed_encoder(
        self, pixels: Float32[np.ndarray, "3 rows columns"], side_px: int, encoder: Graph
    ) -> Tensors:
        del side_px
        (name,) = encoder.inputs
        return {name: pixels[None]}

    def feed_decoder(self, embedding: Tensors, tokens: Tokens, decoder: Graph) -> Tensors:
        image = embedding["image_embed"]
        mask, has_mask = earlier_masks(tokens, side=4 * image.shape[-1])
        fed = {name: embedding[name] for name in _EMBEDDINGS} | {
            "point_coords": tokens.xy_px,
            "point_labels": tokens.label,
            "mask_input": mask,
            "has_mask_input": has_mask,
        }
        if _SIZE in decoder.inputs:
            fed[_SIZE] = np.array(mask.shape[2:], decoder.dtypes[_SIZE])
        return fed

    def read(self, outputs: Tensors) -> Candidates:
        logits = outputs["low_res_masks" if "low_res_masks" in outputs else "masks"]
        return Candidates(logits=logits, score=outputs["iou_predictions"])


register_pair(Sam2())
