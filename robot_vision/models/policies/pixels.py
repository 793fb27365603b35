"""A policy from pictures, depth, state and words: any encoder, any fusion, any head.

`pixel_spec.py` holds its options, `pixel_sight.py` turns its inputs into tokens (with
`pixel_parts.py`), and `pixel_card.py` registers it and defines how it is served.
"""

from jaxtyping import Float, Real
from torch import Tensor

from robot_vision.models.policies.chunks import ChunkPolicy
from robot_vision.models.policies.pixel_sight import PixelSight
from robot_vision.models.policies.pixel_spec import PixelPolicySpec


class PixelPolicy(ChunkPolicy):
    """One moment of observations → a chunk of normalised actions; see `ChunkPolicy`."""

    sight: PixelSight

    def __init__(self, spec: PixelPolicySpec) -> None:
        super().__init__(spec, PixelSight(spec))

    def maps(
        self, camera: str, rgb: Real[Tensor, "*batch h w 3"]
    ) -> tuple[Float[Tensor, "*batch _c _h _w"], ...]:
        """The encoder's maps of a camera's pictures: the `levels` coarsest, finest first."""
        return self.sight.maps(camera, rgb)
