"""A simulator of a few lines, as an example for `robot-vision evaluate policy --environment`.

Two discs lie on a table; the instruction names the one that the tool must go to. There is nothing
to grasp and no physics: the tool follows its commands at a limited speed. A camera called `front`
looks straight down.

    robot-vision evaluate policy --policy my-policy --episodes 20 \
        --environment examples/outside_simulator/reacher.py:make --allow-code
"""

import numpy as np

from robot_vision.rollouts.evaluating.outside import Seen

COLORS_RGB = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (50, 70, 210)}
SIDE_M, SIDE_PX = 0.4, 64
FIRST_M = np.array([0.3, -0.2])  # the corner of the table that the first pixel shows
DISC_M, REACHED_M, HEIGHT_M = 0.03, 0.02, 0.15
SPEED_MPS = 0.4
TOOL_DOWN = np.diag([1.0, -1.0, -1.0])


class Reacher:
    """The task: go to the named disc."""

    name = "reacher"
    control_s = 0.05
    time_out_s = 4.0

    def reset(self, seed: int) -> str:
        rng = np.random.default_rng(seed)
        self._tool = np.eye(4)
        self._tool[:3, :3] = TOOL_DOWN
        self._tool[:3, 3] = [0.5, 0.0, HEIGHT_M]
        names = rng.permutation(list(COLORS_RGB))[:2].tolist()
        # one on each side, so that they never overlap
        places = [FIRST_M + SIDE_M * rng.uniform([0.15, y], [0.85, y + 0.2]) for y in (0.1, 0.7)]
        self._discs = dict(zip(names, places, strict=True))
        self._named = names[int(rng.integers(2))]
        self._gripper_open = 1.0
        return f"go to the {self._named} disc"

    def observe(self, *, pictures: bool) -> Seen:
        return Seen(
            base_from_tool=self._tool.copy(),
            gripper_open=self._gripper_open,
            rgb={"front": self._draw()} if pictures else {},
        )

    def act(self, base_from_tool: np.ndarray, gripper_open: float) -> None:
        step = base_from_tool[:3, 3] - self._tool[:3, 3]
        far = max(float(np.linalg.norm(step)) / (SPEED_MPS * self.control_s), 1.0)
        self._tool[:3, 3] += step / far
        self._tool[:3, :3] = base_from_tool[:3, :3]
        self._gripper_open = gripper_open

    def is_done(self) -> bool:
        away = self._tool[:2, 3] - self._discs[self._named]
        return bool(np.linalg.norm(away) < REACHED_M)

    def _draw(self) -> np.ndarray:
        rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
        place = FIRST_M + (np.stack([columns, rows], axis=-1) + 0.5) * SIDE_M / SIDE_PX
        picture = np.full((SIDE_PX, SIDE_PX, 3), 120, np.uint8)
        for name, middle in self._discs.items():
            picture[np.linalg.norm(place - middle, axis=-1) < DISC_M] = COLORS_RGB[name]
        tool = np.linalg.norm(place - self._tool[:2, 3], axis=-1)
        picture[tool < DISC_M / 2] = (20, 20, 20)
        return picture


def make() -> Reacher:
    return Reacher()
