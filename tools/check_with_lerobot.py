"""Compares a dataset, frame by frame, as read by LeRobot and by robot_vision.

Needs LeRobot (`pip install 'lerobot[dataset]'`), which robot_vision itself does not:
`python tools/check_with_lerobot.py DATASET`
"""

import sys
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

from robot_vision.datasets.lerobot.dataset import Dataset

# Two conversions from the decoder's YUV to RGB may round differently.
_MOST_DIFFERENCE = 3


def main(root: Path) -> None:
    theirs = LeRobotDataset(f"local/{root.name}", root=root, video_backend="pyav")
    with Dataset(root) as ours:
        assert len(theirs) == len(ours), (len(theirs), len(ours))
        for episode in ours.episodes:
            numbers = ours.columns(episode.index)
            for frame_index in range(episode.length):
                item = theirs[episode.first_index + frame_index]
                assert item["task"] == episode.instruction
                for name, values in numbers.items():
                    np.testing.assert_allclose(
                        item[name].numpy(), values[frame_index], rtol=1e-6, atol=1e-6
                    )
                for name, feature in ours.features.items():
                    if feature["dtype"] in ("video", "image"):
                        mine = ours.image(episode.index, frame_index, name)
                        _compare(item[name].numpy(), mine, f"{name} of {frame_index}")
    print(f"{len(theirs)} frames of {len(ours.episodes)} episodes are the same")


def _compare(theirs: np.ndarray, mine: np.ndarray, of: str) -> None:
    if mine.ndim == 2:  # depth, in millimetres in both
        np.testing.assert_array_equal(theirs[0], mine, err_msg=of)
        return
    difference = np.abs(theirs.transpose(1, 2, 0) * 255 - mine)
    assert difference.max() <= _MOST_DIFFERENCE, f"{of} differs by {difference.max()}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
