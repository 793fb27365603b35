"""EfficientSAM as its own export writes it.

Encoder: `batched_images` [1, 3, H, W], 0 to 1; it stretches and normalises inside; output
`image_embeddings`. Decoder: `batched_point_coords` [1, p, k, 2] in pixels of a picture of
`orig_im_size` [2] (rows, columns), and `batched_point_labels` [1, p, k]; outputs `output_masks`
[1, p, m, rows, columns] and `iou_predictions` [1, p, m], the best first. No earlier masks.
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

_INPUTS = ("image_embeddings", "batched_point_coords", "batched_point_labels", "orig_im_size")
# Width of a cell of the embedding in pixels of the square, and that of the decoder's own map.
_SQUARE_A_CELL = 16
_MAP_A_CELL = 4


class EfficientSam:
    name = "efficient_sam"
    about = "EfficientSAM, tiny or small: points and boxes, no earlier masks"
    picture = PictureInput(side_px=1024, resize="stretch", mean=(0, 0, 0), std=(1, 1, 1))
    prompts_axis = ("batched_point_coords", 1)
    takes_boxes = True
    takes_masks = False

    def recognises(self, encoder: Graph, decoder: Graph) -> bool:
        return (
            set(encoder.inputs) == {"batched_images"}
            and len(encoder.outputs) == 1
            and wanted_names(decoder, _INPUTS)
            and {"output_masks", "iou_predictions"} <= set(decoder.outputs)
        )

    def feed_encoder(
        self, pixels: Float32[np.ndarray, "3 rows columns"], side_px: int, encoder: Graph
    ) -> Tensors:
        del side_px, encoder
        return {"batched_images": pixels[None]}

    def feed_decoder(self, embedding: Tensors, tokens: Tokens, decoder: Graph) -> Tensors:
        """Masks are requested at the decoder's native size."""
        (image,) = embedding.values()
        side = _MAP_A_CELL * image.shape[-1]
        return {
            "image_embeddings": image,
            "batched_point_coords": (tokens.xy_px * (_MAP_A_CELL / _SQUARE_A_CELL))[None],
            "batched_point_labels": tokens.label[None],
            "orig_im_size": np.array([side, side], decoder.dtypes["orig_im_size"]),
        }

    def read(self, outputs: Tensors) -> Candidates:
        return Candidates(logits=outputs["output_masks"][0], score=outputs["iou_predictions"][0])


register_pair(EfficientSam())
