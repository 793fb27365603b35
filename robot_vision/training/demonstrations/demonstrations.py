"""STAND-IN of data22's class until it is merged: our own sets, in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from robot_vision.core.observation_spec import ObservationSpec


@dataclass(frozen=True, kw_only=True, eq=False)
class Demonstrations:
    observation: ObservationSpec
    step_s: float
    pictures: Mapping[str, np.ndarray]
    depth_m: Mapping[str, np.ndarray]
    state: np.ndarray
    stamp_ns: np.ndarray
    action: np.ndarray
    valid: np.ndarray
    first_row: np.ndarray
    length: np.ndarray
    instructions: tuple[tuple[str, ...], ...]
    success: tuple[bool | None, ...]
    action_joint_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def open_demonstrations(folders, *, meaning, observation, horizon, cache_dir) -> Demonstrations:
    from robot_vision.datasets.lerobot.dataset import Dataset

    columns = {n: [] for n in ("state", "stamp_ns", "action", "valid", "first_row", "length")}
    pictures = {c.name: [] for c in observation.cameras}
    depths = {c.name: [] for c in observation.cameras if c.has_depth}
    instructions, success, first = [], [], 0
    for folder in folders:
        with Dataset(Path(folder)) as dataset:
            step_s = 1 / dataset.fps
            for episode in dataset.episodes:
                steps = [
                    dataset.step(episode.index, i, cameras=list(pictures))
                    for i in range(episode.length)
                ]
                actions = np.array([s.action for s in steps])
                n = len(steps)
                for i, s in enumerate(steps):
                    pose = s.robot.base_from_tool
                    columns["state"].append(
                        np.r_[pose[:3, 3], pose[:3, 0], pose[:3, 1], s.robot.gripper_open]
                    )
                    columns["stamp_ns"].append(s.stamp_ns)
                    take = np.minimum(np.arange(i, i + horizon), n - 1)
                    columns["action"].append(actions[take])
                    columns["valid"].append(np.arange(i, i + horizon) < n)
                    columns["first_row"].append(first)
                    columns["length"].append(n)
                    for camera in observation.cameras:
                        size = (camera.width_px, camera.height_px)
                        frame = s.frames[camera.name]
                        pictures[camera.name].append(
                            cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
                        )
                        if camera.has_depth:
                            depth = np.nan_to_num(frame.depth_m)
                            depths[camera.name].append(
                                cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST).astype(
                                    np.float16
                                )
                            )
                first += n
                instructions.append((episode.instruction,))
                success.append(episode.record.success if episode.record else None)
    found = {n: np.array(v) for n, v in columns.items()}
    return Demonstrations(
        observation=observation,
        step_s=step_s,
        pictures={n: np.stack(v) for n, v in pictures.items()},
        depth_m={n: np.stack(v) for n, v in depths.items()},
        state=found["state"].astype(np.float32),
        action=found["action"].astype(np.float32),
        valid=found["valid"],
        stamp_ns=found["stamp_ns"],
        first_row=found["first_row"],
        length=found["length"],
        instructions=tuple(instructions),
        success=tuple(success),
    )
