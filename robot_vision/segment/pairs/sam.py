"""SAM as exported by `segment_anything` itself, and by us from a transformers folder.

Encoder: one input [1, 3, S, S], padded; one output, the embedding. Decoder: `image_embeddings`,
`point_coords` [p, k, 2], `point_labels` [p, k], `mask_input` [p, 1, S/4, S/4], `has_mask_input`
[1] and, in most, `orig_im_size` [2]; its `low_res_masks` [p, m, S/4, S/4] are read and its larger
`masks` are not. Four candidates: the first is for unambiguous prompts.
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
from robot_vision.segment.picture import padded

DECODER_INPUTS = (
    "image_embeddings",
    "point_coords",
    "point_labels",
    "mask_input",
    "has_mask_input",
)
_SIZE = "orig_im_size"
_PICTURE_RANK = 4


class Sam:
    name = "sam"
    about = "SAM by Meta's export or by ours; also light ones that keep its names"
    picture = PictureInput(side_px=1024)
    prompts_axis = ("point_coords", 0)
    takes_boxes = True
    takes_masks = True

    def recognises(self, encoder: Graph, decoder: Graph) -> bool:
        ranks = [len(shape) for shape in encoder.inputs.values()]
        return ranks == [_PICTURE_RANK] and decodes_as_sam(encoder, decoder)

    def feed_encoder(
        self, pixels: Float32[np.ndarray, "3 rows columns"], side_px: int, encoder: Graph
    ) -> Tensors:
        (name,) = encoder.inputs
        return {name: padded(pixels, side_px)}

    def feed_decoder(self, embedding: Tensors, tokens: Tokens, decoder: Graph) -> Tensors:
        (image,) = embedding.values()
        tokens = tokens.with_padding()
        mask, has_mask = earlier_masks(tokens, side=4 * image.shape[-1])
        fed = {
            "image_embeddings": image,
            "point_coords": tokens.xy_px,
            "point_labels": tokens.label,
            "mask_input": mask,
            "has_mask_input": has_mask,
        }
        if _SIZE in decoder.inputs:  # of `masks`, which is not read: as small as possible
            fed[_SIZE] = np.array([1, 1], decoder.dtypes[_SIZE])
        return fed

    def read(self, outputs: Tensors) -> Candidates:
        return Candidates(logits=outputs["low_res_masks"], score=outputs["iou_predictions"])


def decodes_as_sam(encoder: Graph, decoder: Graph) -> bool:
    """Whether the decoder has the names of SAM's, and the encoder gives one embedding."""
    return (
        len(encoder.outputs) == 1
        and wanted_names(decoder, DECODER_INPUTS, optional=(_SIZE,))
        and {"low_res_masks", "iou_predictions"} <= set(decoder.outputs)
    )


register_pair(Sam())
