"""Precision of the forward pass: 32 bits, or 16 on devices that are fast at it."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from robot_vision.core.errors import ConfigError

Kind = Literal["fp32", "bf16", "fp16"]
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True, eq=False)
class Precision:
    """`scaler` keeps small fp16 gradients from underflowing; it does nothing for other types."""

    kind: Kind
    device: torch.device
    scaler: torch.amp.GradScaler

    def forward(self) -> torch.autocast:
        """The context of a forward pass."""
        enabled = self.kind != "fp32"
        dtype = _DTYPES[self.kind] if enabled else None
        return torch.autocast(self.device.type, dtype, enabled=enabled)


def choose_precision(name: str, device: torch.device) -> Precision:
    """`auto` is bf16 on a GPU and fp32 on a CPU; `ConfigError` if the device lacks it."""
    kind: Kind = ("bf16" if device.type == "cuda" else "fp32") if name == "auto" else name  # type: ignore[assignment]
    if kind != "fp32":
        _try_out(kind, device)
    scaler = torch.amp.GradScaler(device.type, enabled=kind == "fp16")
    return Precision(kind=kind, device=device, scaler=scaler)


def _try_out(kind: Kind, device: torch.device) -> None:
    """One small convolution forward and back."""
    layer = nn.Conv2d(8, 8, 3).to(device)
    try:
        with torch.autocast(device.type, _DTYPES[kind]):
            out = layer(torch.zeros(1, 8, 8, 8, device=device))
        if out.dtype != _DTYPES[kind]:
            raise RuntimeError(f"it computes in {out.dtype} instead")
        out.float().sum().backward()
    except RuntimeError as error:
        raise ConfigError(
            f"run.precision = {kind!r} does not work on {device.type}: {error}; "
            "set it to fp32, or to auto"
        ) from error
