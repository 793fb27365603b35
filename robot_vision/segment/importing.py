"""Identifies a pair of encoder and decoder by the names of their tensors; makes its manifest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.segmenter_manifest import SegmenterManifest
from robot_vision.core.parameters.params import faults_of
from robot_vision.segment.graphs import RunningGraph
from robot_vision.segment.pair import PAIRS, Graph, Pair

_LIMITS = "Not measured with real weights by this project."


def describe_pair(
    encoder: Path,
    decoder: Path,
    *,
    name: str,
    licence: str = "unknown",
    picture: Mapping[str, Any] | None = None,
) -> SegmenterManifest:
    """A manifest for the two files; `picture` replaces fields of `PictureInput`.

    Raises `BundleError`, with their tensors, if they are not a known pair.
    """
    graphs = RunningGraph(encoder).graph, RunningGraph(decoder).graph
    pair = recognised(*graphs)
    side = _side_px(graphs[0])
    fields = pair.picture.model_dump() | ({"side_px": side} if side else {}) | dict(picture or {})
    try:
        return SegmenterManifest.model_validate(
            {
                "name": name,
                "pair": pair.name,
                "picture": fields,
                "licence": licence,
                "description": pair.about,
                "limits": _LIMITS,
            }
        )
    except ValidationError as error:
        raise BundleError(f"{encoder}: {faults_of(error)}") from error


def recognised(encoder: Graph, decoder: Graph) -> Pair:
    """The pair that they form; raises `BundleError` if they form none."""
    for name in PAIRS:
        if PAIRS.get(name).recognises(encoder, decoder):
            return PAIRS.get(name)
    swapped = any(PAIRS.get(name).recognises(decoder, encoder) for name in PAIRS)
    hint = " (they are a pair the other way round)" if swapped else ""
    raise BundleError(
        f"no known pair of encoder and decoder{hint}: the encoder has {_tensors(encoder)}, the "
        f"decoder {_tensors(decoder)}; known: "
        + "; ".join(f"{name} ({PAIRS.get(name).about})" for name in PAIRS)
    )


def _side_px(encoder: Graph) -> int | None:
    """The side of the encoder's square, if its file gives it."""
    (shape,) = encoder.inputs.values()
    sides = [size for size in shape if size is not None and size > 3]
    return max(sides, default=None)


def _tensors(graph: Graph) -> str:
    def listed(shapes: Mapping[str, Any]) -> str:
        return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())

    return f"{listed(graph.inputs)} → {listed(graph.outputs)}"
