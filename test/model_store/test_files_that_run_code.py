"""A file that can run code runs none, unless `--allow-code` stands on the command line."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hostile_files import DETECTOR, bundle_around, hostile_pickle, hostile_program
from typer.testing import CliRunner

from robot_vision.backends import load_backend
from robot_vision.cli import app
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.files.code_permission import code_is_permitted, permit_code
from robot_vision.core.parameters.config import MODEL_PARAMETERS, NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.model_store.store import find_bundle, open_bundle, write_bundle
from robot_vision.perception.perceiver import build_perceiver

pytest.importorskip("torch", reason="torch is for training and this back-end only")

REFUSED = r"can run any code when it is loaded.*ONNX or safetensors"
run = CliRunner().invoke


@pytest.fixture(autouse=True)
def _nobody_allows_code() -> Iterator[None]:
    permit_code(False)
    yield
    permit_code(False)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """There as soon as hostile code has run."""
    return tmp_path / "code_has_run"


@pytest.fixture
def evil(tmp_path: Path, marker: Path) -> Path:
    """A bundle of a depth model whose program leaves the marker."""
    return bundle_around(hostile_program(tmp_path / "m.pt2", marker), tmp_path / "evil")


@pytest.fixture
def evil_detector(tmp_path: Path, marker: Path) -> Path:
    file = hostile_program(tmp_path / "d.pt2", marker)
    return bundle_around(file, tmp_path / "detector", manifest=DETECTOR)


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    """Two folders of pictures to replay."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        cv2.imwrite(str(folder / "0.png"), np.zeros((32, 32, 3), np.uint8))
    return list(map(str, folders))


def test_the_back_end_refuses_and_says_what_to_do(evil: Path, marker: Path) -> None:
    with pytest.raises(BundleError, match=f"{REFUSED}; or pass --allow-code .* if you trust"):
        load_backend(find_bundle(evil), device="cpu")
    assert not marker.exists()


@pytest.mark.parametrize("parameter", MODEL_PARAMETERS)
def test_no_parameter_of_the_service_loads_it(evil: Path, marker: Path, parameter: str) -> None:
    task = {
        "model": DETECTOR,
        "feature_model": {"task": "features", "format": "features"},
        "classifier_model": {"task": "classification", "format": "classification"},
        "segmentation_model": {"task": "segmentation", "format": "semantic"},
        "grounding_model": {"task": "grounding", "format": "grounding"},
    }
    folder = bundle_around(
        evil / "model.pt2",
        evil.parent / parameter,
        manifest={**DETECTOR, "task": "depth", "format": "depth_metric", "classes": []}
        | task.get(parameter, {}),
    )
    config = with_values(NodeConfig(), {parameter: str(folder), "device": "cpu"})
    # A bundle with a text prompt is refused earlier: it has no text encoder.
    says = "needs a text encoder" if parameter == "grounding_model" else REFUSED
    with pytest.raises(BundleError, match=says):
        build_perceiver(config)
    with pytest.raises(ConfigError, match="unknown parameter"):
        with_values(config, {"allow_code": True})
    assert not marker.exists()


def test_no_command_line_without_the_option_runs_it(
    evil: Path,
    evil_detector: Path,
    marker: Path,
    pictures: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ALLOW_CODE", "ROBOT_VISION_ALLOW_CODE"):
        monkeypatch.setenv(name, "1")
    model = str(evil_detector)
    replay = ["replay", pictures[0]]
    commands = [
        ["models", "verify", str(evil)],
        ["models", "show", str(evil)],
        ["models", "import", str(evil / "model.pt2"), "--format", "depth_metric"],
        [*replay, "--model", model],
        [*replay, "--param", f"depth_model={evil}"],
        [*replay, "--model", model, "--param", "allow_code=true"],
        ["bench", "pipeline", "--model", model, "--frames", "1"],
        ["bench", "model", "--model", model, "--rounds", "1"],
        ["evaluate", model, "--data", pictures[0], "--out", str(evil.parent / "e")],
    ]
    for command in commands:
        result = run(app, command)
        shows = command[:2] == ["models", "show"]
        assert (result.exit_code == 0) is shows, f"{command}: {result.output}"
        assert not marker.exists(), f"{command} ran the code"
        assert not code_is_permitted()


def test_processes_of_a_replay_refuse_it_too(
    evil: Path, marker: Path, pictures: list[str]
) -> None:
    command = ["replay", *pictures, "--jobs", "2", "--param", f"depth_model={evil}"]
    refused = run(app, command)
    assert refused.exit_code == 2
    assert "can run any code" in " ".join(refused.output.split())
    assert not marker.exists()


def test_permitted_code_runs_also_in_the_processes_of_a_replay(
    evil: Path, marker: Path, pictures: list[str]
) -> None:
    assert run(app, ["models", "verify", str(evil), "--allow-code"]).exit_code != 0
    assert marker.exists(), "the file of this test does nothing: it proves nothing"
    marker.rmdir()
    more = ["--jobs", "2", "--param", f"depth_model={evil}", "--allow-code"]
    run(app, ["replay", pictures[0], *more])
    assert marker.exists()
    run(app, ["models", "show", str(evil)])
    marker.rmdir()
    run(app, ["models", "verify", str(evil)])
    assert not marker.exists(), "the permission outlived its command line"


@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5, "program"])
def test_another_name_makes_no_other_file(
    tmp_path: Path, marker: Path, suffix: str, protocol: int | str
) -> None:
    file = tmp_path / f"m{suffix}"
    if isinstance(protocol, int):
        hostile_pickle(file, marker, protocol=protocol)
    else:
        hostile_program(file, marker)
    folder = bundle_around(file, tmp_path / "evil")
    bundle = open_bundle(folder)
    for permitted in (False, True):
        permit_code(permitted)
        with pytest.raises(BundleError, match=r"whatever its name says, but a (zip|pickle)"):
            load_backend(bundle, device="cpu")
        with pytest.raises(BundleError, match=REFUSED.split(".*", maxsplit=1)[0]):
            find_bundle(folder)
        with pytest.raises(BundleError, match="whatever its name says"):
            write_bundle(tmp_path / "out", bundle.manifest, file)
    assert not marker.exists()


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".pkl", ".PTH"])
def test_pickles_of_weights_are_refused_by_all(tmp_path: Path, marker: Path, suffix: str) -> None:
    file = hostile_pickle(tmp_path / f"m{suffix}", marker, protocol=2)
    folder = bundle_around(file, tmp_path / "evil")
    permit_code(True)
    with pytest.raises(BundleError, match=f"{REFUSED}$"):
        load_backend(find_bundle(folder), device="cpu")
    assert not marker.exists()


def test_weights_without_a_header_are_not_safetensors(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(b"hello, this is no header of any kind")
    folder = bundle_around(tmp_path / "m.safetensors", tmp_path / "b")
    with pytest.raises(BundleError, match="not a safetensors file"):
        find_bundle(folder)


@pytest.mark.parametrize("architecture", ["", "os.system", "../evil", "policy-s"])
def test_weights_are_of_registered_architectures_only(tmp_path: Path, architecture: str) -> None:
    save_file = pytest.importorskip("safetensors.numpy").save_file
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "m.safetensors")
    folder = bundle_around(
        tmp_path / "m.safetensors",
        tmp_path / "b",
        manifest=DETECTOR | {"architecture": architecture},
    )
    with pytest.raises(BundleError, match=r"cannot be loaded"):
        load_backend(find_bundle(folder), device="cpu")


def test_verify_and_show_say_which_kinds_can_run_code(evil: Path) -> None:
    shown = run(app, ["models", "show", str(evil)]).output
    assert "model.pt2 can run arbitrary code when loaded" in shown
    sound = run(app, ["models", "verify", "native-s", "--device", "cpu"]).output
    assert "model.onnx cannot run code" in sound
    for suffix in (".pt2", ".onnx", ".safetensors", ".pth"):
        assert suffix in sound
