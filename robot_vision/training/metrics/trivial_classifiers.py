"""Baselines for classifiers: the commonest class, mean looks, and a small network on looks.

Looks are a grey thumbnail (shape) and a colour histogram, which need no learnt features.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, Int64, UInt8
from torch import nn

_THUMBNAIL_PX = 8
_COLOR_LEVELS = 4
_HIDDEN = 64
_STEPS, _BATCH, _RATE = 400, 256, 0.003

_Looks = Float32[np.ndarray, "n d"]


def looks(rgb: UInt8[np.ndarray, "n h w 3"]) -> _Looks:
    """A thumbnail without its mean and contrast, and the share of each of 64 colours."""
    size = (_THUMBNAIL_PX, _THUMBNAIL_PX)
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in rgb]
    shape = np.stack([cv2.resize(g, size, interpolation=cv2.INTER_AREA).ravel() for g in grey])
    shape = shape.astype(np.float32)
    shape -= shape.mean(axis=1, keepdims=True)
    shape /= shape.std(axis=1, keepdims=True) + 1
    levels = (rgb // (256 // _COLOR_LEVELS)).astype(int)
    colors = (levels[..., 0] * _COLOR_LEVELS + levels[..., 1]) * _COLOR_LEVELS + levels[..., 2]
    count = _COLOR_LEVELS**3
    share = [np.bincount(c.ravel(), minlength=count) / c.size for c in colors]
    return np.concatenate([shape, np.sqrt(np.stack(share))], axis=1).astype(np.float32)


class TrivialClassifiers:
    """Fitted to the `looks` of training pictures."""

    def __init__(self, seen: _Looks, class_id: Int64[np.ndarray, " n"], classes: int) -> None:
        self._mean, self._std = seen.mean(axis=0), seen.std(axis=0) + 1e-6
        scaled = (seen - self._mean) / self._std
        self._commonest = int(np.bincount(class_id, minlength=classes).argmax())
        self._means = np.full((classes, seen.shape[1]), np.inf, np.float32)
        for row in np.unique(class_id):
            self._means[row] = scaled[class_id == row].mean(axis=0)
        self._network = _fitted(scaled, class_id, classes)

    def top1(self, seen: _Looks, class_id: Int64[np.ndarray, " n"]) -> dict[str, float]:
        """`trivial_top1/<which>` of each, and the best as `trivial_top1`."""
        scaled = (seen - self._mean) / self._std
        far = np.stack([np.square(scaled - mean).sum(axis=1) for mean in self._means], axis=1)
        with torch.no_grad():
            learnt = self._network(torch.from_numpy(scaled)).argmax(dim=1).numpy()
        answers = {
            "majority": np.full(len(seen), self._commonest),
            "mean_looks": far.argmin(axis=1),
            "small_mlp": learnt,
        }
        right = {name: float((found == class_id).mean()) for name, found in answers.items()}
        named = {f"trivial_top1/{name}": value for name, value in right.items()}
        return {"trivial_top1": max(right.values())} | named


def _fitted(scaled: _Looks, class_id: Int64[np.ndarray, " n"], classes: int) -> nn.Module:
    """The small network, trained; it uses its own random generators."""
    draw = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Linear(scaled.shape[1], _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, classes)
        )
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=0.05)
    inputs, targets = torch.from_numpy(scaled), torch.from_numpy(class_id)
    with torch.enable_grad():
        for _ in range(_STEPS):
            rows = torch.randint(len(inputs), (_BATCH,), generator=draw)
            optimizer.zero_grad()
            F.cross_entropy(network(inputs[rows]), targets[rows]).backward()
            optimizer.step()
    return network.eval()
