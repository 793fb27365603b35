"""`robot-vision profile`: every registered model, runs, bundles, files; in torch and in ONNX."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx_models import make_bundle, save_model
from trace_events import process_names, read_trace
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.parameters.values import flatten
from robot_vision.models.card import Size
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import Weights, write_weights
from robot_vision.profiling.profile import Profile, ProfileOptions, profile
from robot_vision.profiling.targets import open_target
from robot_vision.training.engine.run import RECIPE, WEIGHTS

QUICK = ProfileOptions(engines=("torch-cpu", "onnx-cpu"), threads=1, runs=5, peak=False)
SIZE = Size(width_px=96, height_px=64)
COMMON = ["classifier", "native-s", "policy-s"]
# Its language model has no graph of ONNX: torch runs it.
IN_TORCH_ALONE = {"vlm-policy"}


def tiny_profile(name: str) -> Profile:
    return profile(name, QUICK, size=SIZE, spec=flatten(MODELS.get(name).tiny))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in COMMON else [pytest.mark.slow]) for name in MODELS],
)
def test_any_registered_model(name: str) -> None:
    found = tiny_profile(name)
    assert (found.target, found.kind) == (name, "model")
    for network in found.networks:
        engines = [one.engine for one in network.timed]
        assert engines == ["torch-cpu", "onnx-cpu"] or name in IN_TORCH_ALONE, network.notes
        for one in network.timed:
            latency = one.latency
            assert 0 < latency.p50_ms <= latency.p95_ms <= latency.p99_ms
            assert latency.cpu_ms > 0
            assert one.operators[0].ms >= one.operators[-1].ms
            assert sum(operator.share for operator in one.operators) == pytest.approx(1)
        by_form = {one.form: one for one in network.counted}
        in_torch = by_form["torch"]
        assert in_torch.memory.peak_activations <= in_torch.memory.activations
        if "onnx" in by_form and not by_form["onnx"].uncounted:
            # What the exporter folds away beforehand is not multiplied any more.
            assert by_form["onnx"].macs <= in_torch.macs * 1.01
            assert by_form["onnx"].macs >= in_torch.macs * 0.75
    assert sum(one.counted[0].macs for one in found.networks) > 0


def test_a_run_of_training(tmp_path: Path) -> None:
    card = MODELS.get("tiny-depth")
    (tmp_path / RECIPE).write_text(
        "task: depth\nmodel: tiny-depth\nspec: {width: 4}\nrun: {steps: 1}\n"
        "options: {train_set: a, val_set: b, resolutions: [{width_px: 64, height_px: 96}]}\n",
        encoding="utf-8",
    )
    weights = Weights(
        file=tmp_path / WEIGHTS,
        tensors=card.build(card.tiny).state_dict(),
        model=card.name,
        spec=card.tiny.model_dump(mode="json"),
        travels={},
    )
    write_weights(tmp_path / WEIGHTS, weights)
    target = open_target(str(tmp_path), tmp_path / "onnx")
    (network,) = target.networks
    assert target.kind == "run"
    assert network.input_shapes == {"rgb": "uint8 [1, 96, 64, 3]"}
    assert network.module is not None
    with torch.no_grad():
        network.module(torch.from_numpy(network.inputs["rgb"]))
    with pytest.raises(ConfigError, match="--set is for registered models"):
        open_target(str(tmp_path), tmp_path / "onnx", spec={"width": 8})


def test_shipped_bundles_are_profiled_in_onnx_and_in_torch_where_weights_fit(
    tmp_path: Path,
) -> None:
    (seen,) = open_target("native-s", tmp_path).networks
    assert seen.module is not None
    assert seen.file is not None
    policy = open_target("policy-s", tmp_path)
    assert policy.kind == "bundle"
    assert {one.name for one in policy.networks} == {"policy", "language"}
    for network in policy.networks:  # its vocabulary has grown since: only ONNX, and the reason
        assert network.file is not None
        assert "does not fit model 'policy-s'" in network.notes[0]


def test_a_foreign_bundle_and_a_file_are_onnx_alone(tmp_path: Path) -> None:
    bundle = make_bundle(
        tmp_path / "echo",
        manifest={
            "task": "features",
            "format": "features",
            "input": {"name": "images", "width_px": 8, "height_px": 4},
        },
        echoes={"same": "images"},
    )
    for name, kind in ((str(bundle.path), "bundle"), (str(bundle.model_path), "file")):
        found = profile(name, QUICK)
        assert found.kind == kind
        (network,) = found.networks
        assert [one.engine for one in network.timed] == ["onnx-cpu"]
        assert [one.name for one in network.missing] == ["torch-cpu"]
        assert "only ONNX" in network.missing[0].why


def test_free_sides_need_a_size_and_a_free_batch_gives_throughput(tmp_path: Path) -> None:
    free = save_model(
        tmp_path / "free.onnx",
        inputs={"images": (["batch", 3, "height", "width"], np.float32)},
        echoes={"same": "images"},
    )
    with pytest.raises(BundleError, match=r"axis 2 of input 'images'.*--size"):
        open_target(str(free), tmp_path)
    options = ProfileOptions(engines=("onnx-cpu",), runs=5, batches=(1, 3), peak=False)
    (network,) = profile(str(free), options, size=SIZE).networks
    assert network.inputs == {"images": "float32 [1, 3, 64, 96]"}
    rates = network.timed[0].throughput
    assert [one.batch for one in rates] == [1, 3]
    assert all(one.samples_per_s for one in rates)

    fixed = save_model(
        tmp_path / "fixed.onnx",
        inputs={"images": ([1, 3, 4, 8], np.float32)},
        echoes={"same": "images"},
    )
    (network,) = profile(str(fixed), options).networks
    assert not network.timed[0].batch_is_free
    assert [one.batch for one in network.timed[0].throughput] == [1]
    four = save_model(
        tmp_path / "four.onnx",
        inputs={"images": ([4, 3, 4, 8], np.float32)},
        echoes={"same": "images"},
    )
    (network,) = profile(str(four), options).networks
    assert [one.batch for one in network.timed[0].throughput] == [4]
    with pytest.raises(ConfigError, match="size 96x64: fixed takes 8x4"):
        profile(str(fixed), options, size=SIZE)


def test_why_there_is_no_onnx_is_said_by_the_network(tmp_path: Path) -> None:
    odd = Size(width_px=100, height_px=33)
    spec = flatten(MODELS.get("dino").tiny)
    (network,) = open_target("dino", tmp_path, size=odd, spec=spec).networks
    assert network.file is None
    assert "expected sides that its stride of" in network.notes[0]


def test_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no model bundle 'nothing'"):
        open_target("nothing", tmp_path)
    with pytest.raises(ConfigError, match="unknown parameter 'widht'"):
        open_target("tiny-depth", tmp_path, spec={"widht": 4})


def test_the_command_fails_where_no_engine_ran() -> None:
    order = ["profile", "tiny-depth", "--set", "width=4", "--size", "96x64"]
    ended = CliRunner().invoke(app, [*order, "--engine", "onnx-cuda"])
    assert "onnx-cuda: not measured: " in ended.output
    with pytest.raises(ConfigError, match="no engine ran model: the reasons are above"):
        raise ended.exception or AssertionError(ended.output)


def test_the_command_writes_tables_figures_a_page_and_traces(tmp_path: Path) -> None:
    order = ["profile", "tiny-depth", "--set", "width=4", "--size", "96x64", "--threads", "1"]
    order += ["--runs", "5", "--batch", "1"]
    order += ["--engine", "onnx-cpu", "--engine", "torch-cpu", "--engine", "onnx-cuda"]
    order += ["--rows", "3"]
    order += ["--json", str(tmp_path / "p.json"), "--html", str(tmp_path / "p.html")]
    ended = CliRunner().invoke(app, [*order, "--traces", str(tmp_path / "traces")])
    assert ended.exit_code == 0, ended.output
    assert "onnx-cuda: not measured: this build of ONNX Runtime has no CUDA" in ended.output
    figures = json.loads((tmp_path / "p.json").read_text())
    (network,) = figures["networks"]
    assert [timed["engine"] for timed in network["timed"]] == ["onnx-cpu", "torch-cpu"]
    for timed in network["timed"]:
        assert 0 < timed["latency"]["p50_ms"] <= timed["latency"]["p99_ms"]
        assert 1e5 < timed["peak_bytes"] < 1e9
    assert figures["machine"]["cores"]
    page = (tmp_path / "p.html").read_text()
    assert "<title>Profile of tiny-depth</title>" in page
    words = re.sub(r"<[^>]+>", "", page)
    assert re.search(r"engine +┃ p50 ms +┃ p95 ms +┃ p99 ms +┃ CPU ms +┃ peak MB", words)
    assert not re.search(r"\{\w*\}", page)
    assert "aten::" in {
        e["name"][:6] for e in read_trace(tmp_path / "traces/model-torch-cpu.json")
    }
    events = read_trace(tmp_path / "traces" / "model-onnx-cpu.json")
    assert list(process_names(events).values()) == ["model, ONNX Runtime"]
    kernels = [event for event in events if event.get("cat") == "Node"]
    assert {event["ph"] for event in kernels} == {"X"}
    assert min(event["dur"] for event in kernels) >= 0
    assert "Conv" in {event["args"].get("op_name") for event in kernels}


def test_an_unknown_engine_is_an_error_that_lists_them() -> None:
    ended = CliRunner().invoke(app, ["profile", "native-s", "--engine", "tpu"])
    assert isinstance(ended.exception, ConfigError)
    assert "torch-cpu, onnx-cpu, openvino, torch-cuda, onnx-cuda" in str(ended.exception)
