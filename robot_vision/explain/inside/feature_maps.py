"""A layer's feature maps of a picture, the strongest channels first."""

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8

from robot_vision.explain.drawing import colored, tile
from robot_vision.explain.network.layer_taps import layer_names, named, tapped
from robot_vision.explain.question import Question


@torch.no_grad()
def feature_maps(
    question: Question, layer: str
) -> tuple[Float32[np.ndarray, "c rows columns"], list[int]]:
    """Maps of a layer, and its channels ordered by their variation over the picture."""
    model = question.subject.network(wanted_for="feature maps")
    _, taps = tapped(model, lambda: question.subject.run(question.inputs), size=question.size)
    tap = named(taps, layer)
    maps = tap.as_map(tap.value)[-1].float().numpy()
    order = np.argsort(-maps.std(axis=(1, 2)), kind="stable")
    return maps, order.tolist()


def feature_tiles(
    question: Question, layer: str, *, count: int
) -> list[UInt8[np.ndarray, "h w 3"]]:
    """The `count` channels that vary most, each scaled from its minimum to its maximum."""
    maps, order = feature_maps(question, layer)
    height, width = question.size
    return [
        tile(
            colored(_scaled(cv2.resize(maps[row], (width, height), interpolation=cv2.INTER_AREA))),
            f"channel {row}: {maps[row].min():.2g} to {maps[row].max():.2g}",
        )
        for row in order[:count]
    ]


def layers_of(question: Question) -> list[str]:
    """Layers that have maps."""
    model = question.subject.network(wanted_for="feature maps")
    names = layer_names(model, lambda: question.subject.run(question.inputs), size=question.size)
    return list(dict.fromkeys(names))


def _scaled(values: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    return (values - values.min()) / max(float(np.ptp(values)), np.finfo(np.float32).tiny)
