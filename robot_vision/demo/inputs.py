"""Default recording and model of the demo."""

from pathlib import Path

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.model_store.store import list_bundles, write_bundle
from robot_vision.replay.reading.discovery import Topics

_PACKAGE = Path(__file__).parents[1]
_SHARED_DATA = _PACKAGE.parents[1] / "shared" / "data"


class DemoError(RobotVisionError, RuntimeError):
    """The demo has nothing to show."""


def find_recording() -> Path:
    """The recording that ships with the package, else the kitchen of the shared data."""
    shipped = sorted(file.parent for file in (_PACKAGE / "data").glob("**/metadata.yaml"))
    kitchen = _SHARED_DATA / "bags" / "redkitchen_mcap"
    for path in (*shipped, kitchen):
        if path.is_dir():
            return path
    raise DemoError(f"no recording in {_PACKAGE / 'data'}, and no {kitchen}; give one with --bag")


def find_model(work: Path) -> str:
    """The default model if the store has it, else the shared YOLOX-nano as a bundle in `work`."""
    default = ServiceConfig().model
    if default in [bundle.manifest.name for bundle in list_bundles()]:
        return default
    model, classes = (_SHARED_DATA / "models" / n for n in ("yolox_nano.onnx", "coco_classes.txt"))
    if not model.is_file():
        raise DemoError(f"no {default!r} in the store, and no {model}; give a bundle with --model")
    from robot_vision.model_store.import_onnx import describe_onnx

    names = tuple(classes.read_text().split("\n")[:80])
    manifest = describe_onnx(model, name="yolox-nano", format="yolox", classes=names)
    return str(write_bundle(work / "yolox-nano", manifest, model).path)


def node_arguments(topics: Topics, *, model: str) -> list[str]:
    """ROS arguments that make the node listen to a recording's topics."""
    arguments = ["--ros-args", "-p", f"model:={model}"]
    for role, name in (("rgb", topics.rgb), ("depth", topics.depth)):
        base = name.removesuffix("/compressed").removesuffix("/compressedDepth")
        transport = ("raw" if base == name else "compressed") if name else "none"
        arguments += ["-p", f"input.{role}_transport:={transport}"]
        arguments += ["-r", f"{role}:={base}"] if name else []
    return [*arguments, "-r", f"camera_info:={topics.info}"] if topics.info else arguments
