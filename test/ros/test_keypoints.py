"""Keypoints and oriented boxes over real DDS, of the frame that they were seen in."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import make_bundle
from ros_harness import FRAME_ID, rig, wait_for_readers
from std_msgs.msg import String

pytestmark = pytest.mark.ros

WIDTH, HEIGHT = 64, 48  # of the rig's camera


def constant_bundle(folder: Path, **described: Any) -> Path:
    """One thing in every frame: its box, its score, and what `described` says beyond it."""
    extra = described.pop("extra")
    cells = sum(-(-WIDTH // s) * -(-HEIGHT // s) for s in (8, 16, 32))
    output = np.zeros((1, 5 + len(extra), cells), np.float32)
    output[0, :, 7] = 32, 24, 30, 20, 0.9, *extra
    image = {"name": "images", "width_px": WIDTH, "height_px": HEIGHT}
    basis = {"task": "detection", "classes": ["person"], "input": image}
    make_bundle(folder, manifest=basis | described, constants={"output0": output})
    return folder


def test_keypoints_arrive_with_the_stamp_of_their_frame(tmp_path: Path) -> None:
    bundle = constant_bundle(
        tmp_path / "pose",
        format="yolo_pose",
        keypoints=["left_hand", "right_hand"],
        extra=(20, 16, 0.75, 44, 32, 0.25),
    )
    heard: list[dict[str, Any]] = []
    with rig(model=bundle) as r:
        r.monitor.node.create_subscription(
            String, "/perception/keypoints/json", lambda m: heard.append(json.loads(m.data)), 5
        )
        wait_for_readers(r)
        result = r.result_of()
        r.wait_for(lambda: any(said["stamp_ns"] == result["stamp_ns"] for said in heard))
    said = next(said for said in heard if said["stamp_ns"] == result["stamp_ns"])
    (row,) = result["objects"]
    assert (said["frame_id"], said["names"]) == (FRAME_ID, ["left_hand", "right_hand"])
    assert said["objects"] == [
        {
            "id": row["id"],
            "class": "person",
            "keypoints": [
                {"name": "left_hand", "xy_px": [20.0, 16.0], "score": 0.75},
                {"name": "right_hand", "xy_px": [44.0, 32.0], "score": 0.25},
            ],
        }
    ]
    assert row["keypoints"] == said["objects"][0]["keypoints"]


def test_an_oriented_box_arrives_as_it_lies(tmp_path: Path) -> None:
    bundle = constant_bundle(tmp_path / "obb", format="yolo_obb", extra=(0.5,))
    with rig(model=bundle) as r:
        wait_for_readers(r)
        (row,) = r.result_of()["objects"]
    assert row["oriented_box"] == {"center_px": [32, 24], "size_px": [30, 20], "angle_rad": 0.5}
    left, top, right, bottom = row["box_xyxy_px"]
    assert right - left == pytest.approx(30 * np.cos(0.5) + 20 * np.sin(0.5), abs=0.5)
    assert bottom - top == pytest.approx(30 * np.sin(0.5) + 20 * np.cos(0.5), abs=0.5)
