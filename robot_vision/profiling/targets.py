"""Targets of a profile: a registered model, a run or a bundle, as its served networks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.files.foreign import brief
from robot_vision.core.parameters.params import Params
from robot_vision.core.parameters.values import with_values
from robot_vision.export.graph import export_graph
from robot_vision.model_store.file_kinds import is_regular
from robot_vision.model_store.policies import POLICY_FILE, find_policy
from robot_vision.model_store.segmenters import SEGMENTER_FILE, find_segmenter
from robot_vision.model_store.store import MANIFEST_FILE, find_bundle, stored_folders
from robot_vision.models.card import Card, Graph, Size
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import Weights, load_exactly, read_weights, spec_of
from robot_vision.profiling.onnx_inputs import inputs_of, picture_axes
from robot_vision.training.engine.recipes.recipe_file import load_recipe
from robot_vision.training.engine.run import RECIPE, WEIGHTS

_USUAL = Size(width_px=416, height_px=320)
_NO_SIZE = Size(width_px=0, height_px=0)
_ONNX = ".onnx"


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """One network, in torch, in ONNX or both, with its `inputs` by name.

    `module` is called with the values of `inputs` in order; `size` is the size chosen for free
    sides of the file's pictures. `notes` are the reasons for a missing form.
    """

    name: str
    inputs: Mapping[str, np.ndarray]
    module: nn.Module | None = None
    file: Path | None = None
    size: Size | None = None
    notes: tuple[str, ...] = ()

    @property
    def input_shapes(self) -> dict[str, str]:
        """Type and shape of each input, as text."""
        return {name: f"{x.dtype} {list(x.shape)}" for name, x in self.inputs.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """`kind` is model, run, bundle or file."""

    name: str
    kind: str
    networks: tuple[Network, ...]


def open_target(
    name: str,
    folder: Path,
    *,
    size: Size | None = None,
    spec: Mapping[str, object] | None = None,
) -> Target:
    """The target `name`: an ONNX file, a run's folder, a registered model, or a bundle.

    ONNX files of models and runs are written to `folder`. `size` is that of pictures, `spec` has
    options of a registered model by dotted names. Raises `ConfigError` or `BundleError`.
    """
    path = Path(name)
    if name.endswith(_ONNX) and is_regular(path):
        target = Target(name=path.stem, kind="file", networks=(_of_file(path, size),))
    elif is_regular(path / RECIPE):
        target = _of_run(path, folder, size)
    elif name in MODELS and (spec or not (path.is_dir() or _is_stored(name))):
        return _of_card(MODELS.get(name), folder, size, spec or {})
    else:
        target = _of_bundle(name, size)
    if spec:
        raise ConfigError(f"--set is for registered models; {name} is a {target.kind}")
    return target


def check_size(target: Target, size: Size) -> None:
    """Raises `ConfigError` where files fix the size of their pictures, and it is another."""
    if target.kind not in ("bundle", "file"):
        return
    shapes = [value.shape for one in target.networks for value in one.inputs.values()]
    found = {tuple(shape[axis] for axis in picture_axes(shape)) for shape in shapes} - {()}
    if (size.height_px, size.width_px) not in found:
        known = ", ".join(f"{width}x{height}" for height, width in sorted(found)) or "no pictures"
        raise ConfigError(
            f"size {size.width_px}x{size.height_px}: {target.name} takes {known}; export it at "
            "that size, or leave --size out"
        )


def _is_stored(name: str) -> bool:
    """A bundle may have its model's name: `native-s` is the shipped one unless options are set."""
    return any(name in stored_folders(file) for file in (MANIFEST_FILE, POLICY_FILE))


def _of_card(
    card: Card[Any], folder: Path, size: Size | None, changed: Mapping[str, object]
) -> Target:
    spec = with_values(card.spec, changed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = card.build(spec)
    graphs = _graphs(card, model, spec, size)
    return Target(name=card.name, kind="model", networks=_exported(graphs, folder))


def _of_run(run: Path, folder: Path, size: Size | None) -> Target:
    recipe, weights = load_recipe(run / RECIPE), read_weights(run / WEIGHTS)
    card = MODELS.get(weights.model or recipe.model)
    wanted = size or getattr(recipe.options, "served_size", None)
    graphs = _loaded_graphs(card, weights, recipe.spec, wanted)
    return Target(name=str(run), kind="run", networks=_exported(graphs, folder))


def _of_file(file: Path, size: Size | None) -> Network:
    size_px = None if size is None else (size.width_px, size.height_px)
    return Network(name=file.stem, file=file, inputs=inputs_of(file, size_px=size_px), size=size)


def _of_bundle(name: str, size: Size | None) -> Target:
    """All networks of a bundle of perception, a policy or a segmenter."""
    path = Path(name)
    architecture = ""
    given: dict[str, Any] = {}
    own: Size | None = None
    if name in stored_folders(POLICY_FILE) or is_regular(path / POLICY_FILE):
        policy = find_policy(name)
        root, files = policy.path, tuple(policy.manifest.models)
        architecture = policy.manifest.architecture
    elif name in stored_folders(SEGMENTER_FILE) or is_regular(path / SEGMENTER_FILE):
        segmenter = find_segmenter(name)
        root, files = segmenter.path, tuple(segmenter.manifest.models)
    else:
        bundle = find_bundle(name)
        root, files = bundle.path, tuple(bundle.manifest.models)
        architecture, image = bundle.manifest.architecture, bundle.manifest.input
        own = Size(width_px=image.width_px, height_px=image.height_px)
        given = {"classes": len(bundle.manifest.classes)}
    onnx = [root / file for file in files if file.endswith(_ONNX)]
    networks = {file.stem: _of_file(file, size or own) for file in onnx}
    if architecture in MODELS:
        card = MODELS.get(architecture)
        networks = _with_modules(networks, root, card, given, size or own)
    if not networks:
        raise BundleError(
            f"{name} has nothing to profile: its files are {', '.join(files) or 'none'}; "
            "expected ONNX, or weights of a registered model"
        )
    return Target(name=name, kind="bundle", networks=tuple(networks.values()))


def _with_modules(
    networks: dict[str, Network],
    root: Path,
    card: Card[Any],
    given: Mapping[str, Any],
    size: Size | None,
) -> dict[str, Network]:
    """The networks with their torch modules, where the bundle has weights."""
    weights = [file for file in sorted(root.glob("*.safetensors")) if is_regular(file)]
    if not weights:
        return networks
    try:
        graphs = _loaded_graphs(card, read_weights(weights[0]), given, size)
    except ConfigError as error:  # weights from before a change of the architecture
        note = f"torch is left out: {brief(error)}"
        return {name: replace(one, notes=(note,)) for name, one in networks.items()}
    for graph in graphs:
        stem = Path(graph.file).stem
        inputs = _first_samples(graph)
        known = networks.get(stem, Network(name=stem, inputs=inputs))
        same = known.file is None or _shapes(known.inputs) == _shapes(inputs)
        note = "" if same else "torch and ONNX take inputs of other shapes: torch is left out"
        networks[stem] = replace(
            known,
            inputs={name: known.inputs[name] for name in inputs} if same else known.inputs,
            module=graph.module.eval() if same else None,
            notes=(note,) if note else (),
        )
    return networks


def _loaded_graphs(
    card: Card[Any], weights: Weights, given: Mapping[str, Any], size: Size | None
) -> tuple[Graph, ...]:
    spec = spec_of(weights, card, given)
    with torch.random.fork_rng(devices=[]):
        model = card.build(spec)
    load_exactly(model, weights, name=card.name)
    return _graphs(card, model, spec, size)


def _graphs(
    card: Card[Any], model: nn.Module, spec: Params, size: Size | None
) -> tuple[Graph, ...]:
    if card.serving is None:
        raise ConfigError(f"model {card.name!r} is not served: it has no network to profile")
    shown = size or (_USUAL if card.serving.image else _NO_SIZE)
    return card.serving.graphs(model, spec, shown)


def _exported(graphs: tuple[Graph, ...], folder: Path) -> tuple[Network, ...]:
    networks = []
    for graph in graphs:
        file, notes = None, ()
        try:
            file = export_graph(graph, folder / graph.file)
        except (BundleError, ConfigError) as error:
            notes = (f"no ONNX: {brief(_first_cause(error))}",)
        networks.append(
            Network(
                name=Path(graph.file).stem,
                inputs=_first_samples(graph),
                module=graph.module.eval(),
                file=file,
                notes=notes,
            )
        )
    return tuple(networks)


def _first_cause(error: BaseException) -> BaseException:
    """What the network raised, beneath what the exporter says of its own steps."""
    return error if error.__cause__ is None else _first_cause(error.__cause__)


def _first_samples(graph: Graph) -> dict[str, np.ndarray]:
    """The example, with one sample if its batch is free."""
    draw = np.random.default_rng(0)
    inputs = {}
    for name, tensor in graph.example.items():
        is_free = 0 in graph.dynamic.get(name, {})
        value = (tensor[:1] if is_free else tensor).numpy()
        if value.dtype == np.uint8:  # a picture of one colour may be faster than others
            value = draw.integers(0, 256, value.shape, np.uint8)
        inputs[name] = value.copy()
    return inputs


def _shapes(inputs: Mapping[str, np.ndarray]) -> dict[str, tuple[Any, ...]]:
    return {name: (value.dtype, *value.shape) for name, value in inputs.items()}
