"""Episodes of a made-up table with a made-up expert, and their words; made without a simulator."""

from pathlib import Path

import numpy as np
from policy_cases import CLASS_NAMES, MODEL_ID, Brick, observe, robot_at

from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.policies.observing.observation import encode_observation
from robot_vision.policies.observing.tokens import NONE, POINTABLE
from robot_vision.rollouts.episode_files import (
    Sample,
    SetDescription,
    save_episode,
    write_description,
    write_vocabulary,
)

HORIZON = 4
COLORS = {"red": (200, 30, 30), "blue": (30, 40, 210), "green": (30, 170, 40)}
VOCABULARY = Vocabulary(
    words=("go", "to", "the", "move", "red", "blue", "green", "brick", "block"),
    things=("brick", "block"),
    actions=("go", "move"),
)
STEP_M = 0.02


def texts_for(color: str) -> tuple[str, ...]:
    return f"go to the {color} brick", f"move to the {color} block"


def towards(distance_m: np.ndarray) -> np.ndarray:
    """The made-up expert: straight there, `STEP_M` a step."""
    action = np.zeros((HORIZON, 7), np.float32)
    left = distance_m.copy()
    for row in action:
        length = max(float(np.linalg.norm(left)), 1e-9)
        row[:3] = left * min(1.0, STEP_M / length)
        row[6] = 1.0
        left -= row[:3]
    return action


def random_scene(rng: np.random.Generator) -> tuple[list[Brick], list[str], object]:
    names = [str(n) for n in rng.permutation(list(COLORS))[:2]]
    bricks = [
        Brick(
            centre_m=(float(rng.uniform(0.4, 0.6)), float(y + rng.uniform(-0.04, 0.04))),
            rgb=COLORS[name],
        )
        for name, y in zip(names, (-0.08, 0.08), strict=True)
    ]
    tool = (float(rng.uniform(0.35, 0.65)), float(rng.uniform(-0.2, 0.2)), 0.2)
    return bricks, names, robot_at(tool)


def write_episodes(
    folder: Path, *, count: int, seed: int, vocabulary: Vocabulary = VOCABULARY
) -> Path:
    rng = np.random.default_rng(seed)
    write_vocabulary(folder, vocabulary)
    write_description(
        folder,
        SetDescription(
            perception_model_id=MODEL_ID, class_names=CLASS_NAMES, history=2, step_s=0.05
        ),
    )
    for number in range(count):
        frames = []
        for _ in range(16):
            bricks, names, robot = random_scene(rng)
            inputs = encode_observation(observe(bricks, robot=robot), history=2)
            samples = []
            for color in COLORS:
                pointers = np.zeros((2, POINTABLE), bool)
                pointers[1, NONE] = True
                action = None
                if color in names:
                    row = names.index(color)
                    pointers[0, row] = True
                    place = np.array([*bricks[row].centre_m, 0.05])
                    action = towards(place - robot.base_from_tool[:3, 3])
                else:
                    pointers[0, NONE] = True
                samples.append(Sample(texts=texts_for(color), pointers=pointers, action=action))
            frames.append((inputs, samples))
        save_episode(folder / f"{number:05d}.npz", frames, horizon=HORIZON)
    return folder
