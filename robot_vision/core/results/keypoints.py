"""Keypoints by name: which side they are on, and which pairs bones join."""

import re
from typing import Literal

Side = Literal["left", "right", ""]

COCO_KEYPOINTS = (
    "nose",
    *("left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    *("left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)
"""The 17 keypoints of people in COCO (Lin et al. 2014, arXiv:1405.0312), in its order."""

FACE_LANDMARKS = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
"""The five landmarks of face detectors, in the order of YuNet; sides are the person's own."""

# Bones within a side, or from a side to the middle; then those across.
_BONES = (
    *(("nose", "eye"), ("eye", "ear"), ("nose", "mouth"), ("ear", "shoulder")),
    *(("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip")),
    *(("hip", "knee"), ("knee", "ankle")),
)
_BRIDGES = ("shoulder", "hip", "mouth")
_SIDE = re.compile(r"(?:^|_)(left|right|l|r)(?:_|$)")


def side_of(name: str) -> Side:
    """The side that a name refers to: `left_eye`, `Left Eye`, `eye_l`; "" if none."""
    found = _SIDE.search(_plain(name))
    if found is None:
        return ""
    return "left" if found[1].startswith("l") else "right"


def bones_of(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Pairs of indices in `names` that a bone joins; none if the names are not those of a body."""
    place = {(_part_of(name), side_of(name)): n for n, name in reversed([*enumerate(names)])}
    bones: list[tuple[int, int]] = []
    for start, end in _BONES:
        for side in ("left", "right"):
            first = place.get((start, side), place.get((start, "")))
            second = place.get((end, side))
            if first is not None and second is not None:
                bones.append((first, second))
    for part in _BRIDGES:
        ends = place.get((part, "left")), place.get((part, "right"))
        if ends[0] is not None and ends[1] is not None:
            bones.append((ends[0], ends[1]))
    return bones


def numbered_names(count: int) -> tuple[str, ...]:
    """Names for unnamed keypoints: `keypoint_0`, `keypoint_1` …"""
    return tuple(f"keypoint_{n}" for n in range(count))


def _part_of(name: str) -> str:
    return _SIDE.sub("_", _plain(name)).strip("_")


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name).strip("_").lower()
