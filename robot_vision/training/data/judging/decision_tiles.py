"""Tiles for a sheet of paths, from a policy's decisions along episodes."""

import numpy as np
from scipy.spatial.transform import Rotation

from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.judging.cameras import camera_at
from robot_vision.training.data.judging.judged import Judged
from robot_vision.training.data.judging.path_sheet import Curve, PathTile, View
from robot_vision.training.metrics.decisions import GRIPPER, POSITION, ROTATION, Decisions

# Smaller curves are drawn flat: such differences do not matter.
_LEAST_M, _LEAST_RAD, _LEAST_GRIPPER = 0.01, 0.05, 1.0
_LINE_LETTERS = 52
_MOST_JOINTS = 8


def tiles_of(decisions: Decisions, judged: Judged, *, count: int) -> list[PathTile]:
    """Tiles of decisions evenly spread over the episodes, each with the first camera's picture."""
    chosen = spread(len(decisions), count)
    return [_tile(decisions, int(index), judged) for index in chosen]


def _tile(decisions: Decisions, index: int, judged: Judged) -> PathTile:
    steps = max(1, int(decisions.valid[index].sum()))
    taught, predicted = decisions.taught[index, :steps], decisions.predicted[index, :steps]
    row = int(decisions.row[index])
    cameras = judged.scenes.observation.cameras
    picture = judged.scenes.source.pictures[cameras[0].name][row] if cameras else None
    curves = _curves_of_tool if judged.is_tool else _curves_of_joints
    return PathTile(
        picture=None if picture is None else np.asarray(picture),
        view=_view(judged, row, taught, predicted) if cameras and judged.is_tool else None,
        curves=curves(taught, predicted),
        lines=_lines(decisions, index, judged, steps),
    )


def _curves_of_tool(taught: np.ndarray, predicted: np.ndarray) -> tuple[Curve, ...]:
    moved = [_from_here(chunk[:, POSITION].cumsum(axis=0)) for chunk in (taught, predicted)]
    turned = [_from_here(_turned_rad(chunk[:, ROTATION])) for chunk in (taught, predicted)]
    places = [
        Curve(
            name=f"{axis} m",
            taught=moved[0][:, column],
            predicted=moved[1][:, column],
            least=_LEAST_M,
        )
        for column, axis in enumerate("xyz")
    ]
    turn = Curve(name="turn rad", taught=turned[0], predicted=turned[1], least=_LEAST_RAD)
    return (*places, turn, _gripper(taught, predicted))


def _curves_of_joints(taught: np.ndarray, predicted: np.ndarray) -> tuple[Curve, ...]:
    joints = [
        Curve(
            name=f"joint {column + 1}",
            taught=taught[:, column],
            predicted=predicted[:, column],
            least=_LEAST_RAD,
        )
        for column in range(min(taught.shape[1] - 1, _MOST_JOINTS))
    ]
    return (*joints, _gripper(taught, predicted))


def _gripper(taught: np.ndarray, predicted: np.ndarray) -> Curve:
    return Curve(
        name="gripper",
        taught=taught[:, GRIPPER],
        predicted=predicted[:, GRIPPER],
        least=_LEAST_GRIPPER,
    )


def _turned_rad(turns: np.ndarray) -> np.ndarray:
    """Rotation of the tool after each step."""
    whole, angles = Rotation.identity(), list[float]()
    for turn in turns:
        whole = Rotation.from_rotvec(turn) * whole
        angles.append(float(whole.magnitude()))
    return np.array(angles)


def _from_here(values: np.ndarray) -> np.ndarray:
    """With the zero at which a chunk begins."""
    return np.concatenate([np.zeros_like(values[:1]), values])


def _view(judged: Judged, row: int, taught: np.ndarray, predicted: np.ndarray) -> View | None:
    """None if the camera's pose or lens, or the tool's pose, is unknown."""
    observation, source = judged.scenes.observation, judged.scenes.source
    placed = camera_at(source, row, observation.cameras[0].name)
    if placed is None or observation.state != "tool":
        return None
    tool_m = np.asarray(source.state[row, POSITION], np.float64)
    paths = [
        tool_m + _from_here(chunk[:, POSITION].cumsum(axis=0)).astype(np.float64)
        for chunk in (taught, predicted)
    ]
    return View(
        camera=placed.camera,
        base_from_camera=placed.base_from_camera,
        taught_m=paths[0],
        predicted_m=paths[1],
    )


def _lines(decisions: Decisions, index: int, judged: Judged, steps: int) -> tuple[str, ...]:
    episode, source = int(decisions.episode[index]), judged.scenes.source
    said = next(iter(source.instructions[episode]), "")
    at = f"episode {episode}, {decisions.stamp_s[index]:.1f} s; {steps * source.step_s:.1f} s on"
    error = (decisions.predicted[index, :steps] - decisions.taught[index, :steps]).astype(float)
    far = f"joints err by {np.abs(error[:, :GRIPPER]).mean():.3f}"
    if judged.is_tool:
        away_m = float(np.linalg.norm(error[:, POSITION].sum(axis=0)))
        far = f"end {1000 * away_m:.0f} mm apart"
    return (said[:_LINE_LETTERS], at, f"taught green, predicted orange; {far}")
