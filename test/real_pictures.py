"""Photographs that tests look at, from the shared data or out of scikit-image."""

import os
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from jaxtyping import UInt8


def real_picture(name: str) -> UInt8[np.ndarray, "h w 3"]:
    """A photograph as RGB; the test is skipped where there is none of that name."""
    samples = find_spec("skimage")
    folders = [Path(os.environ.get("ROBOT_VISION_DATA", "../shared/data")) / "images"]
    if samples is not None and samples.origin is not None:
        folders.append(Path(samples.origin).parent / "data")
    files = [folder / name for folder in folders if (folder / name).is_file()]
    if not files:
        pytest.skip(f"{name} is neither in ../shared/data/images nor of scikit-image here")
    bgr = cv2.imread(str(files[0]))
    assert bgr is not None
    return np.ascontiguousarray(bgr[..., ::-1])
