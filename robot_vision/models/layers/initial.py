"""Fresh weights as the papers of the convolutional encoders have them."""

from torch import nn


def kaiming_convolutions(module: nn.Module) -> None:
    """Draw every convolution's weights for ReLU, by its outputs (He et al., arXiv:1502.01852).

    torch's own default halves the signal in each layer; a deep net without it trains slowly.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
