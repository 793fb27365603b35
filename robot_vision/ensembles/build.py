"""Joins the graphs of members, views and fusion into one, and writes the bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from onnx import compose, version_converter
from torch import nn

from robot_vision.backends import load_backend
from robot_vision.backends.contract import blank_inputs
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.manifests.manifest import ModelInput, ModelManifest, OutputReading
from robot_vision.core.results.keypoints import side_of
from robot_vision.ensembles.decode import DECODERS
from robot_vision.ensembles.fuse_boxes import FuseBoxes
from robot_vision.ensembles.fuse_maps import FuseClasses, FuseDepth, FuseLabels
from robot_vision.ensembles.views import View, Views
from robot_vision.export.graph import OPSET, export_graph
from robot_vision.formats.reading import columns_of_scores
from robot_vision.model_store.store import Bundle, write_bundle
from robot_vision.models.card import Graph
from robot_vision.perception.model import tensor_of_role

_IR_VERSION = 10
_MOST_MEMBERS = 32
_FUSED = "fused_"
_MAPS: dict[str, tuple[str, type[nn.Module]]] = {
    "classification": ("output", FuseClasses),
    "semantic": ("output", FuseLabels),
    "depth_metric": ("depth", FuseDepth),
}


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """The bundles to join, each with each view. `iou`: boxes that overlap more count as one."""

    bundles: tuple[Bundle, ...]
    weights: tuple[float, ...]
    views: tuple[View, ...]
    iou: float = 0.55


def build_ensemble(ensemble: Ensemble, folder: Path, *, name: str) -> Bundle:
    """Write a bundle that fuses all members.

    Raises `BundleError` if they cannot be joined, `ConfigError` if there is only one.
    """
    _check(ensemble)
    first = ensemble.bundles[0].manifest
    members = [(bundle, view) for bundle in ensemble.bundles for view in ensemble.views]
    weights = [weight for weight in ensemble.weights for _ in ensemble.views]
    with TemporaryDirectory() as scratch:
        graph = _joined(ensemble, members, weights, Path(scratch))
        file = Path(scratch) / "model.onnx"
        onnx.save(graph, file)
        return write_bundle(folder, _manifest(first, ensemble, name), file)


def _check(ensemble: Ensemble) -> None:
    first, count = ensemble.bundles[0].manifest, len(ensemble.bundles) * len(ensemble.views)
    if not 2 <= count <= _MOST_MEMBERS:
        raise ConfigError(
            f"{len(ensemble.bundles)} bundles × {len(ensemble.views)} views; expected 2 to "
            f"{_MOST_MEMBERS} in all: a view (--view flip) or another bundle"
        )
    are_weights = all(0 < weight < float("inf") for weight in ensemble.weights)
    if len(ensemble.weights) != len(ensemble.bundles) or not are_weights:
        raise ConfigError(f"weights {ensemble.weights}: expected one above 0 for each bundle")
    folders = [bundle.path.resolve() for bundle in ensemble.bundles]
    if len(set(folders)) < len(folders):
        names = ", ".join(bundle.manifest.name for bundle in ensemble.bundles)
        raise ConfigError(
            f"bundles {names}: one is given twice, which costs time and adds nothing"
        )
    of_side = {side_of(name): name for name in first.classes}
    if {"left", "right"} <= of_side.keys() and any(view.flip for view in ensemble.views):
        raise ConfigError(
            f"view flip: a mirrored picture exchanges {of_side['left']!r} and "
            f"{of_side['right']!r}; leave flip out"
        )
    known = (*DECODERS, *_MAPS)
    for bundle in ensemble.bundles:
        manifest = bundle.manifest
        if manifest.format not in known or bundle.model_path.suffix != ".onnx":
            raise BundleError(
                f"bundle {manifest.name!r} is {manifest.format} in {manifest.file}; only ONNX "
                f"bundles of {', '.join(known)} are joined"
            )
        if manifest.input.carried or manifest.input.batch > 1 or manifest.input.size_name:
            raise BundleError(
                f"bundle {manifest.name!r} carries state, takes several pictures or takes a size: "
                "such bundles cannot be joined"
            )
        is_fed_alike = _fed(manifest.input) == _fed(first.input)
        if not is_fed_alike or manifest.classes != first.classes:
            raise BundleError(
                f"bundles {first.name!r} and {manifest.name!r} differ in their "
                f"{'classes' if is_fed_alike else 'input'}"
                f"{_differences(first.input, manifest.input)}: only models that are fed alike "
                "and know the same classes are joined"
            )
        if _family(manifest) != _family(first):
            raise BundleError(
                f"bundles {first.name!r} ({first.format}) and {manifest.name!r} "
                f"({manifest.format}) answer different things"
            )


def _fed(spec: ModelInput) -> dict[str, Any]:
    """How pictures are prepared, whatever the tensors are called."""
    named = ("depth_name", "focal_name")
    return spec.model_dump() | {"name": ""} | {n: bool(getattr(spec, n)) for n in named}


def _tensors(spec: ModelInput) -> list[str]:
    """The names of the inputs, always in the same order."""
    return [name for name in (spec.name, spec.depth_name, spec.focal_name) if name]


def _differences(one: ModelInput, other: ModelInput) -> str:
    """Fields of the inputs that differ, in brackets."""
    mine, theirs = _fed(one), _fed(other)
    found = [f"{n} {mine[n]} and {theirs[n]}" for n in mine if mine[n] != theirs[n]]
    return f" ({', '.join(found)})" if found else ""


def _family(manifest: ModelManifest) -> str:
    """Formats of one family give the same answer."""
    if manifest.format in DECODERS:
        return "boxes"
    return f"{manifest.format}, background {manifest.reading.background}"


def _joined(
    ensemble: Ensemble,
    members: Sequence[tuple[Bundle, View]],
    weights: Sequence[float],
    scratch: Path,
) -> onnx.ModelProto:
    spec = ensemble.bundles[0].manifest.input
    blank = blank_inputs(ensemble.bundles[0].manifest)
    inputs = _tensors(spec)
    example = {name: torch.from_numpy(blank[name]) for name in inputs}
    shown = [f"view{row}_{name}" for row in range(len(ensemble.views)) for name in inputs]
    graph = _exported(Views(spec, ensemble.views), example, shown, scratch / "views.onnx")
    fed, said = list[str](), dict[str, torch.Tensor]()
    for row, (bundle, view) in enumerate(members):
        outputs, tensors = _answer(bundle)
        prefix = f"member{row}_"
        network = compose.add_prefix(_network(bundle, outputs), prefix)
        number = ensemble.views.index(view)
        links = [
            (f"view{number}_{name}", f"{prefix}{own}")
            for name, own in zip(inputs, _tensors(bundle.manifest.input), strict=True)
        ]
        keep = [*shown, *fed, *(f"{prefix}{name}" for name in outputs)]
        graph = compose.merge_models(graph, network, io_map=links, outputs=keep)
        fed += [f"{prefix}{name}" for name in outputs]
        said |= {f"to_{prefix}{name}": torch.from_numpy(a) for name, a in tensors.items()}
    fusion = _fusion([(b.manifest, v) for b, v in members], weights, ensemble.iou)
    output = "output" if ensemble.bundles[0].manifest.format != "depth_metric" else "depth"
    fuse = compose.add_prefix(_exported(fusion, said, [output], scratch / "fuse.onnx"), _FUSED)
    links = [(name, f"{_FUSED}to_{name}") for name in fed]
    whole = compose.merge_models(graph, fuse, io_map=links, outputs=[f"{_FUSED}{output}"])
    onnx.checker.check_model(whole)
    return whole


def _fusion(
    members: Sequence[tuple[ModelManifest, View]], weights: Sequence[float], iou: float
) -> nn.Module:
    format = members[0][0].format
    if format in DECODERS:
        return FuseBoxes(members, weights, iou=iou)
    return _MAPS[format][1](members, weights)


def _answer(bundle: Bundle) -> tuple[list[str], dict[str, np.ndarray]]:
    """Names of the tensors that fusion takes, in order, and their values on a blank frame."""
    manifest = bundle.manifest
    roles = DECODERS[manifest.format][0] if manifest.format in DECODERS else ()
    roles = roles or (_MAPS[manifest.format][0],)
    backend = load_backend(bundle, device="cpu", threads=1)
    tensors = backend.run(blank_inputs(manifest))
    backend.close()
    name_of = tensor_of_role(manifest, tensors)
    names = [name_of[role] for role in roles]
    for name in names:
        if tensors[name].dtype != np.float32:
            raise BundleError(
                f"bundle {manifest.name!r}: its output {name!r} is {tensors[name].dtype}; only "
                "models that answer in float32 are joined"
            )
    shape, columns = tensors[names[0]].shape, columns_of_scores(manifest)
    if manifest.format == "semantic" and (len(shape) != 4 or shape[1] != columns):
        raise BundleError(
            f"bundle {manifest.name!r}: its output is {list(shape)}; only [1, {columns}, h, w] is "
            "joined"
        )
    return names, {name: tensors[name] for name in names}


def _network(bundle: Bundle, outputs: Sequence[str]) -> onnx.ModelProto:
    """The bundle's graph at our opset, with only the outputs to fuse."""
    model = onnx.load(bundle.model_path)
    try:
        if _opset(model) != OPSET:
            model = version_converter.convert_version(model, OPSET)
    except Exception as error:  # the graph decides what the converter raises
        raise BundleError(
            f"{bundle.model_path} has opset {_opset(model)} and cannot be brought to {OPSET}: "
            f"{error}; export it again"
        ) from error
    kept = [value for value in model.graph.output if value.name in outputs]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return _as_ours(model)


def _exported(
    module: nn.Module, example: Mapping[str, torch.Tensor], outputs: Sequence[str], file: Path
) -> onnx.ModelProto:
    graph = Graph(
        file=file.name,
        module=module,
        example=dict(example),
        outputs={name: name for name in outputs},
    )
    return _as_ours(onnx.load(export_graph(graph, file)))


def _as_ours(model: onnx.ModelProto) -> onnx.ModelProto:
    """Set one IR version, so that graphs can be joined."""
    model.ir_version = _IR_VERSION
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    del model.metadata_props[:]
    return model


def _opset(model: onnx.ModelProto) -> int:
    return next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)


def _manifest(first: ModelManifest, ensemble: Ensemble, name: str) -> ModelManifest:
    boxes = first.format in DECODERS
    role = "depth" if first.format == "depth_metric" else "output"
    licences = dict.fromkeys(bundle.manifest.licence for bundle in ensemble.bundles)
    of = ", ".join(bundle.manifest.model_id for bundle in ensemble.bundles)
    views = ", ".join(map(str, ensemble.views))
    background = first.reading.background
    described: dict[str, Any] = {
        "name": name,
        "task": "detection" if boxes else first.task,
        "format": "yolov8" if boxes else first.format,
        "input": first.input,
        "outputs": {role: f"{_FUSED}{role}"},
        "reading": OutputReading() if boxes else OutputReading(background=background),
        "classes": first.classes,
        "score_threshold": first.score_threshold,
        "licence": " and ".join(licences),
        "description": f"{of}; views of each: {views}; fused in the graph",
    }
    return ModelManifest.model_validate(described)
