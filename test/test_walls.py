"""The walls of ARCHITECTURE.md: who may import what."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from imports import NAME, imports_of, knots, module_graph, package_graph

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
TORCH_HOMES = (
    "models/",
    "training/",
    "export/",
    "explain/",
    "foundation/",
    "profiling/",
    "backends/torch_backend.py",
    "backends/policy_engines/torch_engine.py",
    "bench/",
    "multimodal/answerers/local.py",
    "ensembles/",
    "compressing/",
)
CORE_MAY_IMPORT = {"numpy", "pydantic", "yaml", "jaxtyping", "robot_vision"}

# What each folder and file of the package may import of the others. A new one needs its line.
MAY_IMPORT = {
    "core": "",
    # the stages, which never know each other
    "codecs": "core",
    "capture": "codecs core",
    "sync": "core",
    "formats": "core",
    "model_store": "core formats",
    "backends": "core model_store models policies",
    "grounding": "core model_store policies",
    "perception": "core backends formats grounding model_store",
    "importing": "core formats model_store perception",
    "segment": "core model_store viz",
    "alignment": "core model_store perception policies",
    "tracking": "core",
    "arm": "core",
    "self_filter": "arm core",
    "calibration": "core",
    "policies": "arm codecs core datasets model_store",
    "serving": "core model_store policies",
    "datasets": "core codecs",
    "demonstrations": "core codecs datasets",
    "viz": "core",
    "topics": "core viz",
    "pipeline": "core perception self_filter threads tracking",
    "service": "core pipeline",
    # models, and how they come about
    "models": "core policies",
    "training": (
        "core codecs datasets formats model_store models perception pipeline policies "
        "recorded_views replay rollouts terminal tracking viz"
    ),
    "export": (
        "core alignment backends codecs formats grounding model_store models "
        "perception policies training viz"
    ),
    "explain": (
        "capture codecs core formats model_store models perception policies replay training"
    ),
    "foundation": "core export formats importing model_store models perception",
    # a simulated world, and what is done in it
    "simulation": "core datasets demonstrations threads",
    "rollouts": (
        "arm core model_store perception pipeline policies self_filter simulation terminal "
        "tracking"
    ),
    # what people and robots see
    "replay": (
        "arm core codecs datasets model_store pipeline policies self_filter sync terminal "
        "topics viz"
    ),
    "similar": "codecs core model_store perception replay viz",
    "recorded_views": "arm calibration codecs core replay sync",
    "multimodal": "codecs core machine models perception simulation training",
    "console": "core codecs model_store multimodal perception segment similar viz",
    "soak": "core policies viz",
    "ros": (
        "arm bridge_trial calibration capture codecs console core datasets demonstrations machine "
        "memory model_store perception pipeline policies replay segment self_filter simulation "
        "soak sync "
        "terminal topics "
        "tracking"
    ),
    "demo": "core model_store replay ros simulation terminal",
    "bench": (
        "backends calibration codecs core console datasets demonstrations machine memory "
        "model_store models perception pipeline policies replay rollouts ros self_filter "
        "simulation terminal threads topics tracking training"
    ),
    "compressing": "bench core export model_store models training",
    "comparing": "bench core export model_store training",
    "profiling": "backends bench core export machine model_store models terminal training",
    "ensembles": "backends core export formats model_store models perception",
    "commands": (
        "bench calibration capture codecs comparing compressing core datasets demo "
        "demonstrations doctor doctor_arm ensembles explain export formats foundation "
        "importing machine model_store models multimodal perception policies profiling "
        "recorded_views replay rollouts ros segment serving similar simulation soak "
        "terminal training"
    ),
    # files
    "cli": "core commands terminal",
    "__main__": "cli",
    "bridge_trial": "",
    "doctor": "core bridge_trial model_store",
    "doctor_arm": "arm core doctor",
    "machine": "",
    "memory": "",
    "terminal": "core",
    "threads": "",
}

# Folders of plug-ins: a file a command, format, model, loss, metric or task.
PLUG_INS = {
    "commands",
    "formats",
    "models/encoders",
    "models/policies",
    "training/losses",
    "training/metrics",
    "training/tasks",
}


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
        ({"pyarrow"}, ("datasets/", "demonstrations/", "replay/writing/tables.py")),
        ({"av"}, ("datasets/", "demonstrations/")),
        ({"kornia"}, ("training/",)),
        ({"captum"}, ("explain/ways/integrated_gradients.py",)),
        ({"torch_pruning"}, ("compressing/pruning/channels.py",)),
        ({"tokenizers"}, ("policies/language/sentences.py",)),
        ({"transformers"}, ("models/public_library.py",)),
        ({"huggingface_hub"}, ("foundation/hub.py",)),
        ({"peft"}, ("models/vla/library.py",)),
        ({"openvino"}, ("backends/openvino_backend.py",)),
    ],
    ids=[
        "web",
        "parquet",
        "video",
        "augmentation",
        "captum",
        "pruning",
        "tokenizers",
        "transformers",
        "hub",
        "peft",
        "openvino",
    ],
)
def test_extras_are_imported_where_they_serve_only(
    modules: set[str], homes: tuple[str, ...]
) -> None:
    offenders = [p for p in sources() if roots(imports_of(p)) & modules and not inside(p, *homes)]
    assert offenders == []


def test_core_imports_little() -> None:
    for path in sorted((PACKAGE / "core").rglob("*.py")):
        foreign = roots(imports_of(path)) - CORE_MAY_IMPORT - sys.stdlib_module_names
        assert foreign == set(), f"{path.name} imports {foreign}"


IMPORTS = package_graph(PACKAGE)


@pytest.mark.parametrize("part", sorted(IMPORTS))
def test_a_package_imports_what_the_table_lets_it(part: str) -> None:
    assert part in MAY_IMPORT, f"{part} has no line in MAY_IMPORT"
    found = set(IMPORTS[part])
    assert found <= set(MAY_IMPORT[part].split()), part


def test_no_packages_import_each_other() -> None:
    assert knots(IMPORTS) == []
    table = {part: set(others.split()) for part, others in MAY_IMPORT.items()}
    assert knots(table) == []


def test_no_modules_import_each_other_while_imported() -> None:
    assert knots(module_graph(PACKAGE)) == []


def test_knots_are_found() -> None:
    assert knots({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [["b", "c"]]
    assert knots({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


def test_training_reads_episodes_and_knows_no_simulator() -> None:
    for path in sorted((PACKAGE / "training").rglob("*.py")):
        rollouts = {n for n in imports_of(path) if n.startswith(f"{NAME}.rollouts")}
        assert rollouts <= {f"{NAME}.rollouts.episode_files"}, path.name
    ours = {n for n in imports_of(PACKAGE / "rollouts" / "episode_files.py") if NAME in n}
    assert {n.split(".")[1] for n in ours} <= {"core", "policies"}


def test_training_reads_pictures_of_bags_and_nothing_else_of_a_replay() -> None:
    readers = {f"{NAME}.recorded_views.pictures"} | {
        f"{NAME}.replay.reading.{module}"
        for module in ("discovery", "folders.folder_pairs", "messages", "recording")
    }
    for path in sorted((PACKAGE / "training").rglob("*.py")):
        parts = (f"{NAME}.recorded_views", f"{NAME}.replay")
        known = {n for n in imports_of(path) if n.startswith(parts)}
        assert known <= readers, path.name
        assert not known or path.name == "frame_sources.py"


def test_files_have_three_hundred_lines_at_most() -> None:
    lines = {p: len(p.read_text().splitlines()) for p in sources()}
    assert {str(p): n for p, n in lines.items() if n > 300} == {}


def test_rooms_have_twelve_files_at_most() -> None:
    files = Counter(path.parent.relative_to(PACKAGE).as_posix() for path in sources())
    rooms = {room: n for room, n in files.items() if room not in PLUG_INS}
    assert {room: n for room, n in rooms.items() if n > 12} == {}


def test_every_room_says_what_it_is_for() -> None:
    faces = PACKAGE.rglob("__init__.py")
    assert [f for f in faces if not ast.get_docstring(ast.parse(f.read_text()))] == []


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
        if inside(path, "models/public_files.py"):
            continue  # below
        assert roots(imports_of(path)) & modules == set(), path
        assert calls_in(path) & calls == set(), path
        assert keywords_in(path) & keywords == set(), path
        assert "register_custom_ops_library" not in path.read_text(), path


def test_torch_reads_tensors_alone_of_its_own_files() -> None:
    path = PACKAGE / "models/public_files.py"
    tree = ast.parse(path.read_text())
    loads = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
    ]
    assert len(loads) == 1
    keywords = {k.arg: ast.unparse(k.value) for k in loads[0].keywords}
    assert keywords["weights_only"] == "True"
    assert len(keywords_in(path) & {"weights_only", "allow_pickle", "trust_remote_code"}) == 1
    assert roots(imports_of(path)) & {"pickle", "dill", "cloudpickle", "joblib"} == set()


@pytest.mark.parametrize(
    ("call", "homes"),
    [
        ("torch.load", ("models/public_files.py",)),
        ("torch.export.load", ("backends/torch_backend.py",)),
        ("ort.InferenceSession", ("model_store/onnx_open.py",)),
        (
            "permit_code",
            ("commands/", "replay/jobs/run_many.py", "simulation/writing/parallel.py"),
        ),
        ("yaml.load", ("core/files/foreign.py",)),
        ("yaml.safe_load", ()),
    ],
)
def test_loaders_have_one_door(call: str, homes: tuple[str, ...]) -> None:
    callers = [path for path in sources() if call in calls_in(path)]
    assert [path for path in callers if not inside(path, *homes)] == []
    assert bool(callers) is bool(homes)
