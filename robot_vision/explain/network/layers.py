"""Chooses the layer for a map if none is named.

Maps with few cells are imprecise, and those with many contain little about the target: the choice
is the coarsest layer with at least six cells across (measured in docs/explain.md), and the last
of these. For a box it is the coarsest layer in which the box covers several cells.

In transformers it is the last norm through which patches still reach the output. After the last
attention only the class token is read: the patches' gradients are zero there, and a map from the
last norm, which the best-known library uses by default, is empty.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.explain.heat import ExplainError
from robot_vision.explain.network.layer_taps import Tap
from robot_vision.models.encoders.encoder import Encoder
from robot_vision.models.multitask.native_parts import DepthwiseEncoder

_LEAST_CELLS = 6
_CELLS_OF_BOX = 2.0


def chosen_layer(
    taps: Sequence[Tap],
    gradients: Sequence[Float[Tensor, "_n ..."] | None],
    *,
    scope: str,
    picture_px: int,
    box_px: float = 0.0,
) -> Tap:
    """The layer to read; `gradients` are of the target, by tap; `scope` begins the names.

    `picture_px` is the picture's shorter side, `box_px` that of the target's box, or 0.
    """
    reached = [
        tap
        for tap, gradient in zip(taps, gradients, strict=True)
        if _is_readable(tap) and is_reached(tap, gradient) and tap.name.startswith(scope)
    ]
    if not reached:
        raise ExplainError(
            "no layer with places in the picture reaches the target: it does not depend on "
            "positions in the picture"
        )
    least = _LEAST_CELLS
    if box_px:
        least = max(least, round(picture_px * _CELLS_OF_BOX / box_px))
    enough = [tap for tap in reached if min(tap.rows, tap.columns) >= least]
    if not enough:  # the finest available
        most = max(min(tap.rows, tap.columns) for tap in reached)
        return [tap for tap in reached if min(tap.rows, tap.columns) == most][-1]
    fewest = min(min(tap.rows, tap.columns) for tap in enough)
    return [tap for tap in enough if min(tap.rows, tap.columns) == fewest][-1]


def is_reached(tap: Tap, gradient: Float[Tensor, "n ..."] | None) -> bool:
    """Whether the target depends on any place of a layer."""
    return gradient is not None and bool((tap.as_map(gradient) != 0).any())


def encoder_scope(model: nn.Module) -> str:
    """Prefix of the encoder's layer names; empty if the model has no separate encoder."""
    for name, module in model.named_modules():
        if isinstance(module, Encoder | DepthwiseEncoder) and not name.endswith("relief"):
            return f"{name}."
    return ""


def _is_readable(tap: Tap) -> bool:
    """Tokens are read after a norm has scaled them; elsewhere a few are far larger than others."""
    return tap.kind != "tokens" or tap.is_norm
