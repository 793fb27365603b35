"""Initial weights as in the papers of the convolutional encoders."""

import math

from torch import nn


def kaiming_convolutions(module: nn.Module) -> None:
    """Draw the weights of every convolution for ReLU, by fan-out (arXiv:1502.01852).

    torch's default halves the signal in each layer, and a deep network then trains slowly. The
    fan-out of a grouped convolution is that of one group, which torch's `kaiming_normal_`
    ignores.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = math.prod(layer.kernel_size) * layer.out_channels // layer.groups
            nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_out))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
