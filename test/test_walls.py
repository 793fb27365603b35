"""The walls of ARCHITECTURE.md: who may import what."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "robot_vision"
ROS_MODULES = {
    "rclpy",
    "rcl_interfaces",
    "lifecycle_msgs",
    "sensor_msgs",
    "geometry_msgs",
    "trajectory_msgs",
    "rosgraph_msgs",
    "builtin_interfaces",
    "tf2_msgs",
    "std_msgs",
    "std_srvs",
    "diagnostic_msgs",
    "visualization_msgs",
    "vision_msgs",
    "cv_bridge",
    "tf2_ros",
}
TORCH_HOMES = ("models/", "training/", "export/", "backends/torch_backend.py", "bench/")
CORE_MAY_IMPORT = {"numpy", "pydantic", "yaml", "jaxtyping", "robot_vision"}


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return names


def roots(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def inside(path: Path, *homes: str) -> bool:
    return path.relative_to(PACKAGE).as_posix().startswith(homes)


def test_ros_is_imported_under_ros_only() -> None:
    offenders = [
        p for p in sources() if roots(imports_of(p)) & ROS_MODULES and not inside(p, "ros/")
    ]
    assert offenders == []


def test_torch_is_imported_where_training_and_export_live_only() -> None:
    offenders = [
        p for p in sources() if "torch" in roots(imports_of(p)) and not inside(p, *TORCH_HOMES)
    ]
    assert offenders == []


def test_mujoco_is_imported_under_simulation_only() -> None:
    offenders = [
        p for p in sources() if "mujoco" in roots(imports_of(p)) and not inside(p, "simulation/")
    ]
    assert offenders == []


@pytest.mark.parametrize(
    ("modules", "homes"),
    [
        ({"fastapi", "uvicorn", "starlette"}, ("console/",)),
        ({"pyarrow"}, ("demonstrations/", "replay/writing/tracks_table.py")),
        ({"av"}, ("demonstrations/",)),
        ({"kornia"}, ("training/",)),
    ],
    ids=["web", "parquet", "video", "augmentation"],
)
def test_extras_are_imported_where_they_serve_only(
    modules: set[str], homes: tuple[str, ...]
) -> None:
    offenders = [p for p in sources() if roots(imports_of(p)) & modules and not inside(p, *homes)]
    assert offenders == []


def test_core_imports_little() -> None:
    for path in sorted((PACKAGE / "core").glob("*.py")):
        foreign = roots(imports_of(path)) - CORE_MAY_IMPORT - sys.stdlib_module_names
        assert foreign == set(), f"{path.name} imports {foreign}"


@pytest.mark.parametrize(
    "stage", ["codecs", "sync", "backends", "perception", "tracking", "demonstrations"]
)
def test_stages_do_not_know_each_other(stage: str) -> None:
    allowed = {
        "perception": {"core", "perception", "backends", "model_store"},
        "backends": {"core", "backends", "model_store", "models"},
        "demonstrations": {"core", "demonstrations", "codecs"},
    }.get(stage, {"core", stage})
    for path in sorted((PACKAGE / stage).glob("*.py")):
        ours = {n for n in imports_of(path) if n.startswith("robot_vision.")}
        known = {n.split(".")[1] for n in ours}
        assert known <= allowed, f"{path.name} imports {known - allowed}"


def test_commands_are_light_at_import() -> None:
    heavy = {"torch", "mujoco", "cv2", "numpy", "onnxruntime", "rclpy", "scipy", "rosbags"}
    for path in sorted((PACKAGE / "commands").glob("*.py")):
        found = roots(imports_of(path, top_level_only=True)) & heavy
        assert found == set(), f"{path.name} imports {found} at the top"


@pytest.mark.parametrize("module", ["robot_vision.pipeline", "robot_vision.cli"])
def test_the_robots_path_needs_neither_torch_nor_ros_nor_mujoco(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print([m for m in ('torch', 'rclpy', 'mujoco', 'matplotlib') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def calls_in(path: Path) -> set[str]:
    """Dotted names of what is called: `torch.load`, `load`."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return {ast.unparse(call.func) for call in calls}


def keywords_in(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}


def test_nothing_reads_what_can_run_code() -> None:
    """Beside ruff's S rules, which know no `torch.load` and no import of pickle."""
    modules = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    calls = {"torch.load", "torch.jit.load", "torch.hub.load", "eval", "exec", "__import__"}
    keywords = {"allow_pickle", "trust_remote_code", "weights_only"}
    for path in sources():
        assert roots(imports_of(path)) & modules == set(), path
        assert calls_in(path) & calls == set(), path
        assert keywords_in(path) & keywords == set(), path
        assert "register_custom_ops_library" not in path.read_text(), path


@pytest.mark.parametrize(
    ("call", "homes"),
    [
        ("torch.export.load", ("backends/torch_backend.py",)),
        ("ort.InferenceSession", ("model_store/onnx_open.py",)),
        (
            "permit_code",
            ("commands/", "replay/jobs/run_many.py", "simulation/parallel.py"),
        ),
        ("yaml.load", ("core/foreign.py",)),
        ("yaml.safe_load", ()),
    ],
)
def test_loaders_have_one_door(call: str, homes: tuple[str, ...]) -> None:
    callers = [path for path in sources() if call in calls_in(path)]
    assert [path for path in callers if not inside(path, *homes)] == []
    assert bool(callers) is bool(homes)
