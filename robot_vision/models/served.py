"""A model as the single graph that serves it."""

from typing import Any

from torch import nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params
from robot_vision.core.parameters.values import with_values
from robot_vision.models.card import Card, Graph, Size


def served_graph(card: Card[Any], model: nn.Module, spec: Params, size: Size) -> Graph:
    """The model's graph, in evaluation mode; raises `ConfigError` unless there is exactly one."""
    graphs = card.serving.graphs(model, spec, size) if card.serving else ()
    if len(graphs) != 1:
        files = ", ".join(graph.file for graph in graphs) or "no graph at all"
        raise ConfigError(f"model {card.name!r} is served as {files}; expected one graph")
    graphs[0].module.eval()
    return graphs[0]


def fresh_graph(card: Card[Any], size: Size, *, classes: int) -> Graph:
    """The graph with new weights, for `classes` classes if the model has any; for timing."""
    has_classes = "classes" in type(card.spec).model_fields
    spec = with_values(card.spec, {"classes": classes} if has_classes else {})
    return served_graph(card, card.build(spec), spec, size)
