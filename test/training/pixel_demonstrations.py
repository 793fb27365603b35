"""Demonstrations in memory: a coloured block on a table, to which the tool goes where it is named.

The picture is the table from above: a pixel is a centimetre.
"""

import numpy as np

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.training.demonstrations.demonstrations import Demonstrations

COLORS = {"red": (220, 40, 40), "blue": (40, 60, 220)}
RATE_HZ, HORIZON, STEPS = 10, 4, 12
WIDTH_PX, HEIGHT_PX = 48, 32
OBSERVATION = ObservationSpec(
    cameras=(CameraInput(name="top", width_px=WIDTH_PX, height_px=HEIGHT_PX, has_depth=True),),
    steps=2,
    step_s=0.1,
)
_MOST_M = 0.02


def demonstrations(
    count: int, *, seed: int, observation: ObservationSpec = OBSERVATION, horizon: int = HORIZON
) -> Demonstrations:
    """Episodes of `STEPS` steps; the gripper closes where the tool has come near."""
    rng = np.random.default_rng(seed)
    episodes = [_episode(rng, horizon) for _ in range(count)]
    joined = {name: np.concatenate([e[name] for e in episodes]) for name in episodes[0]}
    rows = np.arange(count * STEPS)
    first_row = rows // STEPS * STEPS
    names = [list(COLORS)[int(each)] for each in joined.pop("named")[::STEPS]]
    return Demonstrations(
        observation=observation,
        step_s=1 / RATE_HZ,
        pictures={"top": joined.pop("rgb")},
        depth_m={"top": joined.pop("depth_m").astype(np.float16)},
        stamp_ns=rows % STEPS * (NS_PER_S // RATE_HZ),
        first_row=first_row,
        length=np.full(len(rows), STEPS),
        instructions=tuple((f"go to the {n} block", f"{n} block please") for n in names),
        success=(True,) * count,
        state=joined["state"],
        action=joined["action"],
        valid=joined["valid"],
    )


def _episode(rng: np.random.Generator, horizon: int) -> dict[str, np.ndarray]:
    """Two blocks, one of which is named; the tool goes straight to it and closes."""
    blocks = rng.permutation(np.array([[0.12, 0.16], [0.36, 0.16]]) + rng.uniform(-0.04, 0.04, 2))
    named = int(rng.integers(2))
    tool = rng.uniform([0.05, 0.05], [0.43, 0.27])
    rows = dict[str, list[np.ndarray]](rgb=[], depth_m=[], state=[], action=[], valid=[])
    for step in range(STEPS):
        chunk = _chunk(tool, blocks[named], horizon)
        rgb, depth_m = _seen(blocks)
        is_near = np.linalg.norm(blocks[named] - tool) < 1e-6
        state = [*tool, 0.1, 1, 0, 0, 0, 1, 0, 0.0 if is_near else 1.0]
        values = {"rgb": rgb, "depth_m": depth_m, "state": state, "action": chunk}
        for name, value in values.items():
            rows[name].append(np.asarray(value))
        rows["valid"].append(np.arange(step, step + horizon) < STEPS)
        tool = tool + chunk[0, :2]
    found = {name: np.stack(values) for name, values in rows.items()}
    found |= {name: found[name].astype(np.float32) for name in ("state", "action")}
    return found | {"named": np.full(STEPS, named)}


def _chunk(tool: np.ndarray, goal: np.ndarray, horizon: int) -> np.ndarray:
    chunk, at = np.zeros((horizon, 7)), tool
    for row in chunk:
        way = goal - at
        row[:2] = way * min(1.0, _MOST_M / max(float(np.linalg.norm(way)), 1e-9))
        at = at + row[:2]
        row[6] = 0.0 if np.linalg.norm(goal - at) < 1e-6 else 1.0
    return chunk


def _seen(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rgb = np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8)
    depth_m = np.full((HEIGHT_PX, WIDTH_PX), 0.8)
    for (x_m, y_m), color in zip(blocks, COLORS.values(), strict=True):
        x, y = round(100 * x_m), round(100 * y_m)
        rgb[y - 3 : y + 4, x - 3 : x + 4] = color
        depth_m[y - 3 : y + 4, x - 3 : x + 4] = 0.75
    return rgb, depth_m
