"""A detector and a recording that the replay tests share."""

from pathlib import Path

import pytest
from replay_scenes import Scene, red_square_bundle, write_mcap

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import write_bundle


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bundle that finds red squares."""
    return red_square_bundle(tmp_path_factory.mktemp("models") / "red-squares")


@pytest.fixture(scope="session")
def pose_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bundle that finds red squares with two keypoints."""
    folder = tmp_path_factory.mktemp("models") / "red-poses"
    return red_square_bundle(folder, format="yolo_pose")


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of two squares, as an MCAP file."""
    return write_mcap(tmp_path_factory.mktemp("bags") / "squares.mcap", Scene().messages())


@pytest.fixture(scope="session")
def yolox(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundle of the real COCO detector."""
    classes = (shared_data / "models" / "coco_classes.txt").read_text().split("\n")[:80]
    manifest = ModelManifest.model_validate(
        {
            "name": "yolox-nano",
            "task": "detection",
            "format": "yolox",
            "classes": classes,
            "input": {
                "name": "images",
                "width_px": 416,
                "height_px": 416,
                "color": "bgr",
                "resize": "letterbox_topleft",
                "scale": 1.0,
            },
        }
    )
    folder = tmp_path_factory.mktemp("models") / "yolox-nano"
    return write_bundle(folder, manifest, shared_data / "models" / "yolox_nano.onnx").path
