"""Turns a training run into a bundle: graphs verified against torch, weights, a manifest."""

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.files.foreign import read_json
from robot_vision.export.graph import export_graph
from robot_vision.export.parity import TOLERANCE, check_parity, onnx_predictor
from robot_vision.export.quantise import to_fp16, to_int8
from robot_vision.export.run_folder import Trained, open_run
from robot_vision.export.served_weights import write_served_weights
from robot_vision.export.torchscript import write_torchscript
from robot_vision.models.card import Graph, Size
from robot_vision.models.weights import write_weights
from robot_vision.training.engine.curves import read_rows
from robot_vision.training.engine.run import CURVES
from robot_vision.training.engine.stepping.eight_bits import RANGES

Precision = Literal["fp32", "fp16", "int8"]
Engine = Literal["onnx", "torch"]
PARITY_SAMPLES = 100
DRIFT_SAMPLES = 20
CALIBRATION_SAMPLES = 64
EXACTNESS = "onnx_against_torch_max"
TORCHSCRIPT_EXACTNESS = "torchscript_against_torch_max"
TORCHSCRIPT_SUFFIX = ".torchscript.pt"
# How far lower precision may deviate from torch, relative to the row's largest value, where no
# format decodes the graph's outputs.
MOST_DRIFT: dict[Precision, float] = {"fp16": 0.01, "int8": 0.05}


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """How a run is exported, and what its manifest says besides the measurements.

    `weights` is a file of the run; `data` replaces the recipe's held-out data, `size` the
    picture size. `averaged_with` are weights that the run began from: the mean is exported.
    `evaluation` is a JSON report to quote. Empty `limits` means the card's. `engine` runs the
    network of a policy: torch if it is too large for ONNX. `torchscript` also writes each
    graph as TorchScript, for programs that embed it.
    """

    weights: str = "weights.safetensors"
    data: Path | None = None
    precision: Precision = "fp32"
    version: str = "1"
    averaged_with: Path | None = None
    size: Size | None = None
    limits: str = ""
    evaluation: Path | None = None
    engine: Engine = "onnx"
    torchscript: bool = False


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A written bundle: its id, its manifest file, and the metrics in it.

    `headline` is the metric by which the task selects weights, else the accuracy of the graphs.
    """

    model_id: str
    manifest: str
    metrics: dict[str, Any]
    headline: str


def export_run(run: Path, folder: Path, options: ExportOptions | None = None) -> Exported:
    """Export the weights of a training run into `folder`, a bundle of the model store.

    The run's recipe names the task and the model. Raises `BundleError` if a graph differs from
    torch on held-out samples, `ConfigError` if the run, its weights or the options do not fit;
    then a bundle already in `folder` is left unchanged.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as made:
        exported = _export(run, Path(made), folder.name, options or ExportOptions())
        folder.mkdir(exist_ok=True)
        # The manifest last: until then the sha256s in the old one reject the new files.
        for file in sorted(Path(made).iterdir(), key=lambda file: file.name == exported.manifest):
            file.replace(folder / file.name)
    return exported


def _export(run: Path, folder: Path, name: str, options: ExportOptions) -> Exported:
    """Write the bundle called `name` into an empty folder."""
    quoted_report = _report(options.evaluation)
    trained = open_run(
        run,
        weights=options.weights,
        averaged_with=options.averaged_with,
        data=options.data,
        size=options.size,
    )
    provenance = _provenance(run, trained)
    network = trained.graphs[-1]
    by_onnx = trained.graphs if options.engine == "onnx" else trained.graphs[:-1]
    differences = [_write_graph(g, folder, trained, options.precision) for g in by_onnx]
    predictors = {g.file: onnx_predictor(folder / g.file, g.outputs) for g in by_onnx}
    weights_file = (folder / network.file).with_suffix(".safetensors")
    if options.engine == "torch":
        difference, predictors[network.file] = write_served_weights(trained, weights_file)
        differences.append(difference)
    else:
        # A model that no format decodes never runs from its weights: half precision is enough for
        # training.
        write_weights(weights_file, trained.weights, half=not trained.serving.format)
    metrics = {
        **quoted_report,
        **trained.held_out.metrics(predictors),
        EXACTNESS: float(f"{max(differences):.2g}"),
        **(_write_torchscript(trained, folder) if options.torchscript else {}),
        **provenance,
    }
    values = _manifest_values(trained, name, options, metrics)
    if options.engine == "torch":
        values["files"] = (*values["files"][:-1], weights_file.name)
    shown = trained.metric if trained.metric in metrics else EXACTNESS
    return Exported(
        model_id=f"{name}@{options.version}",
        manifest=trained.held_out.write(folder, values).name,
        metrics=metrics,
        headline=f"{shown} {metrics[shown]}",
    )


def _write_graph(graph: Graph, folder: Path, trained: Trained, precision: Precision) -> float:
    """Write one ONNX file; returns its difference from torch before precision is reduced."""
    file, held_out = folder / graph.file, trained.held_out
    export_graph(graph, file)
    samples = held_out.inputs(graph.file, PARITY_SAMPLES)
    difference = check_parity(graph, file, samples, most=TOLERANCE * graph.amplifies)
    if precision == "fp32":
        return difference
    exact = file.replace(file.with_suffix(".fp32.onnx"))
    try:
        if precision == "fp16":
            to_fp16(exact, file)
        else:
            calibration = held_out.calibration(graph.file, CALIBRATION_SAMPLES)
            to_int8(exact, file, calibration, trained=trained.weights.travels.get(RANGES))
    finally:
        exact.unlink()
    if not trained.serving.format:
        _check_drift(graph, file, trained, precision)
    return difference


def _write_torchscript(trained: Trained, folder: Path) -> dict[str, float]:
    """Write every graph next to its ONNX; returns their difference from torch."""
    differences = [
        write_torchscript(
            graph,
            (folder / graph.file).with_suffix(TORCHSCRIPT_SUFFIX),
            trained.held_out.inputs(graph.file, PARITY_SAMPLES),
        )
        for graph in trained.graphs
    ]
    return {TORCHSCRIPT_EXACTNESS: float(f"{max(differences):.2g}")}


def _check_drift(graph: Graph, file: Path, trained: Trained, precision: Precision) -> None:
    """Raise `ConfigError` if lower precision changes the result."""
    samples = itertools.islice(trained.held_out.inputs(graph.file, DRIFT_SAMPLES), DRIFT_SAMPLES)
    try:
        check_parity(graph, file, samples, most=MOST_DRIFT[precision])
    except BundleError as error:
        file.unlink()
        raise ConfigError(
            f"{trained.card.name!r} cannot be exported in {precision}: {error}; "
            "export it in fp32, which a network of its size hardly pays for"
        ) from error


def _manifest_values(
    trained: Trained, name: str, options: ExportOptions, metrics: dict[str, Any]
) -> dict[str, Any]:
    card, image = trained.card, trained.serving.image
    spec = type(card.spec).model_validate(trained.weights.spec)
    served = {id(p): p.numel() for g in trained.graphs for p in g.module.parameters()}
    return {
        "name": name,
        "version": options.version,
        "architecture": card.name,
        "precision": options.precision,
        "metrics": metrics,
        "licence": card.licence,
        "description": f"{card.name}, {sum(served.values()) / 1e6:.2f} M parameters. {card.about}",
        "limits": options.limits or card.limits,
        "image": image(spec, trained.size) if image else None,
        "format": trained.serving.format,
        "outputs": {role: name for g in trained.graphs for role, name in g.outputs.items()},
        "files": tuple(graph.file for graph in trained.graphs),
    }


def _report(file: Path | None) -> dict[str, Any]:
    """A report of `robot-vision evaluate` for the manifest to quote."""
    found = read_json(file) if file else {}
    if not isinstance(found, dict):
        raise ConfigError(f"{file} is not a report of `robot-vision evaluate`: expected a mapping")
    return found


def _provenance(run: Path, trained: Trained) -> dict[str, float | str]:
    """What is needed to reproduce the weights."""
    rows = read_rows(run / CURVES)
    if not rows:
        raise ConfigError(f"{run / CURVES} has no rows: expected one a round of the run")
    last = rows[-1]
    return {
        "command": " ".join(["robot-vision", *sys.argv[1:]]),
        "trained_steps": float(last["step"]),
        "trained_minutes": round(float(last["minutes"]), 1),
        "recipe": trained.recipe.model_dump_json(exclude_defaults=True),
    }
