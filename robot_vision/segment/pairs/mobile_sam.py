"""MobileSAM (and SAM) with pixel preparation inside the encoder, as samexporter writes them.

Encoder: `input_image` f32 [height, width, 3], 0 to 255, no batch; it normalises and pads inside.
The longest side must already be that of the square. The decoder is SAM's.
"""

import numpy as np
from jaxtyping import Float32

from robot_vision.core.manifests.segmenter_manifest import PictureInput
from robot_vision.segment.pair import Graph, Tensors, register_pair
from robot_vision.segment.pairs.sam import Sam, decodes_as_sam

_PICTURE_RANK = 3


class MobileSam(Sam):
    name = "mobile_sam"
    about = "MobileSAM or SAM by samexporter: the encoder takes [height, width, 3], 0 to 255"
    picture = PictureInput(side_px=1024, scale=1.0, mean=(0, 0, 0), std=(1, 1, 1))

    def recognises(self, encoder: Graph, decoder: Graph) -> bool:
        ranks = [len(shape) for shape in encoder.inputs.values()]
        return ranks == [_PICTURE_RANK] and decodes_as_sam(encoder, decoder)

    def feed_encoder(
        self, pixels: Float32[np.ndarray, "3 rows columns"], side_px: int, encoder: Graph
    ) -> Tensors:
        (name,) = encoder.inputs
        shape = encoder.inputs[name]
        picture = np.ascontiguousarray(pixels.transpose(1, 2, 0))
        below, right = (
            (side_px if fixed else has) - has
            for fixed, has in zip(shape[:2], picture.shape[:2], strict=True)
        )
        return {name: np.pad(picture, ((0, below), (0, right), (0, 0)))}


register_pair(MobileSam())
