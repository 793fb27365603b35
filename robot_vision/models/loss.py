"""The type of a training loss."""

from jaxtyping import Float
from torch import Tensor

# The total to minimise and its named parts, detached.
Loss = tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]
