"""`import robot_vision as rv`: light, lazy, typed; a service and a replay from Python."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from native_bundle import HEIGHT_PX, WIDTH_PX, make_native_bundle

import robot_vision as rv
from robot_vision.core.cameras.given_frame import check_rgb
from robot_vision.core.errors import BundleError, ConfigError, FrameError

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "python.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
TABLETOP = ROOT / "robot_vision" / "data" / "tabletop"
HEADINGS = "bag verdict frames ×real time tracks id switches digest"
RGB = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
CAMERA = rv.Camera(
    frame_id="camera",
    width_px=WIDTH_PX,
    height_px=HEIGHT_PX,
    intrinsics_px=np.array([[50.0, 0, 31.5], [0, 50.0, 23.5], [0, 0, 1]]),
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_native_bundle(tmp_path_factory.mktemp("bundles") / "one-cube")


@pytest.fixture
def service(bundle: Path) -> rv.Service:
    return rv.load(bundle, parameters={"device": "cpu", "threads": 1})


def run_python(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys; before = set(sys.modules); import robot_vision;"
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
        ";print(sorted(name for name in sys.modules if name.startswith('robot_vision.')))"
    )
    outside, own = (ast.literal_eval(line) for line in run_python(code).splitlines())
    assert set(outside) - sys.stdlib_module_names == {"robot_vision"}
    assert own == []


@pytest.mark.parametrize("first", ["", "import robot_vision.replay.jobs.job; "])
def test_replay_can_be_called_whatever_was_imported_before(first: str) -> None:
    code = f"{first}import robot_vision as rv; print(callable(rv.replay), callable(rv.load))"
    assert run_python(code).split() == ["True", "True"]


def test_every_name_is_there_and_typed() -> None:
    tree = ast.parse((ROOT / "robot_vision" / "__init__.py").read_text())
    (typed,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in typed.body if isinstance(node, ast.ImportFrom)]
    names = {alias.name: node.module for node in imports for alias in node.names}
    assert sorted(names) == rv.__all__
    for name, module in names.items():
        if name != "replay":
            assert getattr(rv, name) is getattr(sys.modules[str(module)], name)
    assert set(rv.__all__) <= set(dir(rv))
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        rv.lode  # noqa: B018
    assert (ROOT / "robot_vision" / "py.typed").is_file()


@pytest.mark.parametrize("block", BLOCKS)
def test_the_page_runs(block: str) -> None:
    assert run_python(block)


def test_the_page_begins_with_ten_lines() -> None:
    assert len(BLOCKS[0].splitlines()) == 10


def test_a_frame_and_a_picture_give_the_same_answer(service: rv.Service) -> None:
    depth_m = np.full((HEIGHT_PX, WIDTH_PX), 1.5, np.float32)
    frame = rv.Frame(stamp_ns=5, frame_id="camera", rgb=RGB, camera=CAMERA, depth_m=depth_m)
    of_frame = service(frame)
    service.forget()
    of_picture = service(RGB, depth_m, camera=CAMERA, stamp_ns=5)
    for seen in (of_frame, of_picture):
        assert (seen.stamp_ns, len(seen.detections)) == (5, 1)
        assert seen.class_names[seen.detections.class_id[0]] == service.class_names[0] == "cube"
        assert seen.depth is not None
        assert seen.features is not None
        assert seen.tracks.position_in_camera_m[0, 2] == pytest.approx(1.5, abs=0.01)


def test_a_picture_without_a_stamp_has_the_time_of_the_call(bundle: Path) -> None:
    pipeline = rv.build_pipeline(rv.ServiceConfig(model=str(bundle), threads=1))
    times = iter([100, 33_000_100])
    service = rv.Service(pipeline, now_ns=lambda: next(times))
    first, second = service(RGB), service(RGB)
    assert (first.stamp_ns, second.stamp_ns) == (100, 33_000_100)
    assert first.tracks.track_id.tolist() == second.tracks.track_id.tolist() == [1]


def test_a_closed_service_says_so(service: rv.Service) -> None:
    with service:
        service(RGB)
    with pytest.raises(rv.RobotVisionError, match="is closed"):
        service(RGB)
    service.close()


@pytest.mark.parametrize(
    ("rgb", "words"),
    [
        (RGB.astype(np.float32) / 255, r"float32 of shape \[48, 64, 3\]; .* \* 255"),
        (RGB.astype(np.uint16), r"uint16 .*>> 8"),
        (RGB[..., 0], r"uint8 of shape \[48, 64\]; .*repeat grey"),
        (np.dstack([RGB, RGB[..., :1]]), r"fourth channel"),
        (RGB.transpose(2, 0, 1), r"\[3, 48, 64\].*channels last"),
        (RGB[None], r"one picture at a time"),
        (RGB[:0], r"no pixels"),
    ],
)
def test_input_that_is_not_a_picture_is_refused(service: rv.Service, rgb: Any, words: str) -> None:
    with pytest.raises(FrameError, match=words):
        service(rgb)
    assert len(service(RGB).detections) == 1


def test_input_that_is_not_an_array_is_refused() -> None:
    with pytest.raises(FrameError, match="a picture is a list; expected a NumPy array"):
        check_rgb([[1, 2, 3]])  # by the service too; these tests check its types before it can


@pytest.mark.parametrize(
    ("depth_m", "words"),
    [
        (np.zeros((48, 64), np.uint16), r"depth is uint16 .* / 1000"),
        (np.zeros((48, 64)), r"float64 .*astype\(numpy.float32\)"),
        (np.zeros((48, 64, 1), np.float32), r"one value a pixel"),
        (np.zeros((0, 64), np.float32), r"give None"),
    ],
)
def test_input_that_is_not_depth_is_refused(
    service: rv.Service, depth_m: np.ndarray, words: str
) -> None:
    with pytest.raises(FrameError, match=words):
        service(RGB, depth_m)


def test_a_camera_of_another_size_is_refused(service: rv.Service) -> None:
    with pytest.raises(FrameError, match="64×48 px, the image has 32×48"):
        service(RGB[:, :32].copy(), camera=CAMERA)


def test_a_frame_has_its_own_depth_and_stamp(service: rv.Service) -> None:
    with pytest.raises(FrameError, match="give them to the Frame"):
        service(rv.Frame(stamp_ns=1, frame_id="", rgb=RGB), stamp_ns=2)


@pytest.mark.parametrize("parameters", [{"detector.scor": 1}, {"model": "other"}])
def test_parameters_that_are_none_are_refused(parameters: dict[str, Any]) -> None:
    for call in (rv.load, lambda **given: rv.replay(TABLETOP, **given)):
        with pytest.raises(ConfigError, match=r"unknown parameter|parameters has model"):
            call(parameters=parameters)


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(BundleError, match=r"available: .*native-s"):
        rv.load("nativ-s")


def test_a_replay_gives_what_the_command_prints(bundle: Path, tmp_path: Path) -> None:
    result = rv.replay(
        TABLETOP, model=bundle, parameters={"threads": 1}, to_s=0.1, out=tmp_path / "out"
    )
    assert (result.name, result.verdict, result.frames) == ("tabletop", "pass", 4)
    assert result.detections_by_class == {"cube": 4}
    assert result.tracks == result.details["figures"]["tracks_by_class"]["cube"] == 1
    assert (tmp_path / "out" / "report.html").is_file()
    lines = str(result).splitlines()
    assert lines[0].split() == HEADINGS.split()
    assert lines[1].split()[:3] == ["tabletop", "pass", "4"]
    assert lines[1].split()[-1] == result.digest[:12]
    assert lines[-1] == "pass"


def test_a_replay_of_nothing_raises(tmp_path: Path) -> None:
    with pytest.raises(rv.RobotVisionError, match="does not exist"):
        rv.replay(tmp_path / "none.mcap")


def test_frames_are_those_of_the_recording() -> None:
    frames = list(rv.frames(TABLETOP, from_s=0.05, to_s=0.15))
    assert [frame.rgb.dtype for frame in frames] == [np.uint8] * 3
    assert all(frame.camera is not None and frame.depth_m is not None for frame in frames)
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(set(stamps))


def test_frames_and_a_replay_take_intrinsics_and_units_as_the_command(
    bundle: Path, tmp_path: Path
) -> None:
    for folder, pixels in (("rgb", RGB), ("depth", np.full(RGB.shape[:2], 500, np.uint16))):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "0.png"), pixels)
    given = (50.0, 50.0, 31.5, 23.5)
    unit = {"depth.raw_unit_m": 0.002}
    (frame,) = rv.frames(tmp_path, parameters=unit, intrinsics_px=given)
    assert frame.camera is not None
    assert np.array_equal(frame.camera.intrinsics_px, CAMERA.intrinsics_px)
    assert frame.depth_m is not None
    assert np.allclose(frame.depth_m, 1.0)
    result = rv.replay(tmp_path, model=bundle, parameters={"threads": 1}, intrinsics_px=given)
    assert result.details["figures"]["camera"]["fx_px"] == 50.0
    with pytest.raises(ConfigError, match="expected finite fx, fy, cx, cy"):
        next(rv.frames(tmp_path, intrinsics_px=(50.0, 0.0, 31.5, 23.5)))
