"""Images and intrinsics of others' datasets: weighed before they are decoded, unknown if wrong."""

import json
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from demonstrations_kit import write_episodes

from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.lerobot.files.images import decode_depth_mm
from robot_vision.demonstrations.check import problems


def test_a_depth_image_of_a_huge_size_is_refused() -> None:
    png = bytearray(cv2.imencode(".png", np.zeros((8, 8), np.uint16))[1].tobytes())
    png[16:24] = struct.pack(">II", 30_000, 30_000)
    with pytest.raises(DatasetError, match=r"frame 3: expected a 16-bit PNG.*30000×30000 px"):
        decode_depth_mm(bytes(png), of="frame 3")
    with pytest.raises(DatasetError, match="expected a 16-bit PNG"):
        decode_depth_mm(b"", of="frame 3")


@pytest.mark.parametrize(
    "intrinsics",
    [
        [[1e300, 0, 48], [0, 1e300, 32], [0, 0, 1]],
        [[-80.0, 0, 48], [0, 80.0, 32], [0, 0, 1]],
        [[80.0], [1.0, 2.0]],
    ],
)
def test_implausible_intrinsics_are_unknown_and_reported(
    intrinsics: list[list[float]], tmp_path: Path
) -> None:
    write_episodes(tmp_path, [2])
    path = tmp_path / "meta" / "robot_vision" / "episode-000000.json"
    record = json.loads(path.read_text())
    record["cameras"]["front"]["intrinsics_px"] = intrinsics
    path.write_text(json.dumps(record))
    assert Dataset(tmp_path).step(0, 0).frames["front"].camera is None
    [problem] = problems(tmp_path)
    assert problem.startswith("episode 0: the intrinsics of 'front' are ")
