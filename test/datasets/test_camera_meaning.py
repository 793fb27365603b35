"""Where the cameras of a foreign set are: said in its meaning, and checked."""

from typing import Any

import numpy as np
import pytest
from meaning_sets import MadeSet, arm
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from robot_vision.datasets.episode_set import EpisodeCamera
from robot_vision.datasets.meaning.camera import CameraMeaning
from robot_vision.datasets.meaning.checking.check import check_meaning
from robot_vision.datasets.meaning.meaning import Meaning

TURN = Rotation.from_euler("xyz", [2.0, 0.3, -1.0])
LENS = {"focal_px": 500, "width_px": 640, "height_px": 480}
STILL = {"position_m": [0.6, 0.1, 0.5], "matrix": TURN.as_matrix().tolist()}


def camera(**values: Any) -> CameraMeaning:
    return CameraMeaning.model_validate(LENS | values)


def test_a_pose_is_said_by_a_quaternion_or_a_matrix() -> None:
    quaternion = TURN.as_quat().round(4).tolist()
    turned = {"position_m": STILL["position_m"], "quaternion_xyzw": quaternion}
    for place in (STILL, turned):
        pose = camera(base_from_camera=place).place.pose
        np.testing.assert_allclose(pose[:3, :3], TURN.as_matrix(), atol=1e-3)
        np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(pose[:3, 3], STILL["position_m"])
    assert camera(tool_from_camera=STILL).is_on_tool


def changed(**values: Any) -> dict[str, Any]:
    return {"base_from_camera": STILL | values}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "either base_from_camera"),
        (changed() | {"tool_from_camera": STILL}, "either base_from_camera"),
        (changed(matrix=None), "either quaternion_xyzw or matrix"),
        (changed(quaternion_xyzw=[0, 0, 0, 1]), "either quaternion_xyzw or matrix"),
        (changed(matrix=None, quaternion_xyzw=[0, 0, 1, 1]), r"has the length 1\.41, expected 1"),
        (changed(matrix=[[1, 0, 0], [0, 1, 0], [0.2, 0, 1]]), "matrix is not a rotation"),
        (changed(matrix=[[1, 0, 0], [0, 1, 0], [0, 0, -1]]), "matrix mirrors"),
        (changed(position_m=[600, 100, 500]), "787.4 m away; expected 10 m at most: are these mm"),
        ({"tool_from_camera": STILL | {"position_m": [0, 3, 0]}}, "expected 1 m at most"),
        (changed(position_m=[float("nan"), 0, 0]), "finite"),
        (changed() | {"focal_px": 5}, "no lens of a robot"),
    ],
)
def test_input_that_is_not_a_pose_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        camera(**values)


def meaning(**cameras: Any) -> dict[str, Any]:
    tool = {
        "position": ["x", "y", "z"],
        "position_unit": "m",
        "rotation": "rpy",
        "rotation_columns": ["roll", "pitch", "yaw"],
    }
    gripper = {"column": "gripper", "closed": 0, "open": 1}
    action = {"tool": tool, "kind": "absolute", "gripper": gripper}
    return {
        "rate_hz": 10,
        "action": action,
        "state": {"tool": tool, "gripper": gripper},
        "cameras": cameras,
    }


def test_a_camera_that_the_set_lacks_is_found() -> None:
    poses, gripper = arm(episodes=2)
    rows = [
        np.concatenate(
            [
                each[:, :3, 3],
                Rotation.from_matrix(each[:, :3, :3]).as_euler("xyz"),
                closed[:, None],
            ],
            axis=1,
        )
        for each, closed in zip(poses, gripper, strict=True)
    ]
    made = MadeSet(rows, rows)
    made.cameras = (EpisodeCamera(name="observation.images.top", has_depth=False),)
    still = {**LENS, "base_from_camera": STILL}

    def found(**cameras: Any) -> list[str]:
        findings = check_meaning(made, Meaning.model_validate(meaning(**cameras)))
        return [finding.what for finding in findings if finding.code == "camera"]

    assert found(top=still) == found() == []
    assert found(side=still) == ["the set has no camera 'side'; choose of: top"]
    twice = found(top=still, observation_images_top=still)
    assert twice == ["the meaning has camera 'observation.images.top' under two names"]


def test_a_camera_on_the_tool_needs_to_know_the_tool() -> None:
    said = meaning(wrist={**LENS, "tool_from_camera": STILL | {"position_m": [0, 0, 0.1]}})
    joints = {"columns": [0], "angle_unit": "rad"}
    gripper = said["action"]["gripper"]
    said["action"] = {"joints": joints, "kind": "absolute", "gripper": gripper}
    said["state"] = {"joints": joints}
    with pytest.raises(ValidationError, match=r"cameras on the tool \(wrist\) need state.tool"):
        Meaning.model_validate(said)
