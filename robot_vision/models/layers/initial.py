"""Fresh weights as the papers of the convolutional encoders have them."""

import math

from torch import nn


def kaiming_convolutions(module: nn.Module) -> None:
    """Draw every convolution's weights for ReLU, by what each input reaches (arXiv:1502.01852).

    torch's own default halves the signal in each layer; a deep net without it trains slowly. An
    input of a grouped convolution reaches the outputs of its group only, which torch's own
    `kaiming_normal_` does not know.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            reached = math.prod(layer.kernel_size) * layer.out_channels // layer.groups
            nn.init.normal_(layer.weight, std=math.sqrt(2 / reached))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
