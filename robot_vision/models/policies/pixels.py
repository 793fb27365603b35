"""A policy that sees pictures, depth, state and words: any encoder, any fusion, any head.

`pixel_spec.py` holds its choices, `pixel_sight.py` makes tokens of what is seen (by
`pixel_parts.py`), and `pixel_card.py` registers it and says how it is served.
"""

from torch import Tensor

from robot_vision.models.policies.chunks import ChunkPolicy
from robot_vision.models.policies.pixel_sight import Sight
from robot_vision.models.policies.pixel_spec import PixelPolicySpec


class PixelPolicy(ChunkPolicy):
    """From what is seen in one moment to a chunk of normalised actions; see `ChunkPolicy`."""

    sight: Sight

    def __init__(self, spec: PixelPolicySpec) -> None:
        super().__init__(spec, Sight(spec))

    def maps(self, camera: str, rgb: Tensor) -> tuple[Tensor, ...]:
        """The encoder's maps of a camera's pictures u8 [...,h,w,3], f32 [...,c,h,w] each.

        The `levels` coarsest, finest first.
        """
        return self.sight.maps(camera, rgb)
