"""Exports a card's graph as ONNX."""

import logging
import warnings
from pathlib import Path

import torch

from robot_vision.core.errors import BundleError, ConfigError, RobotVisionError
from robot_vision.models.card import Graph

OPSET = 18
# The exporter's notes on each node: they hold paths and lines of the machine that it ran on, and
# are most of a small file.
_TRACES = ("pkg.torch.onnx.stack_trace", "pkg.torch.onnx.fx_node")


def export_graph(graph: Graph, file: Path) -> Path:
    """Write the graph with its weights in the file, on the CPU; returns `file`.

    Raises `ConfigError` if an output has the name of an input, which ONNX forbids, or the model
    refuses its example, `BundleError` if the exporter fails.
    """
    shared = set(graph.example) & set(graph.outputs.values())
    if shared:
        raise ConfigError(
            f"graph {graph.file!r} names an output as an input: {', '.join(sorted(shared))}; "
            "give the output's tensor another name in the card"
        )
    module, example = graph.module.cpu().eval(), tuple(graph.example.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        for chatty in ("torch.onnx", "onnxscript"):
            logging.getLogger(chatty).setLevel(logging.ERROR)
        try:
            with torch.no_grad():
                module(*example)  # its own errors, which the exporter would bury in its own
            program = torch.onnx.export(
                module,
                example,
                input_names=list(graph.example),
                output_names=list(graph.outputs.values()),
                dynamic_shapes=_dynamic(graph),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except RobotVisionError:
            raise
        except Exception as error:  # the model decides what the exporter raises
            raise BundleError(f"{graph.file} cannot be written as ONNX: {error}") from error
    assert program is not None
    for node in program.model.graph.all_nodes():
        for note in _TRACES:
            node.metadata_props.pop(note, None)
    file.parent.mkdir(parents=True, exist_ok=True)
    program.save(file, external_data=False)
    return file


def _dynamic(graph: Graph) -> tuple[dict[int, object], ...] | None:
    """Dynamic axes of each input in order; None where all are fixed."""
    if not graph.dynamic:
        return None
    return tuple(graph.dynamic.get(name, {}) for name in graph.example)
