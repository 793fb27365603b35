"""Pictures are resized and cropped as Pillow and the public models' libraries do it."""

import numpy as np
import pytest

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelInput, ModelManifest
from robot_vision.formats.check import check_manifest
from robot_vision.perception.preprocess import Preprocessor
from robot_vision.perception.resample import Filter, Resampler

Image = pytest.importorskip("PIL.Image", reason="pillow is the reference")

FILTERS: dict[Filter, int] = {
    "antialiased_linear": Image.Resampling.BILINEAR,
    "antialiased_cubic": Image.Resampling.BICUBIC,
}


def picture(width_px: int, height_px: int) -> np.ndarray:
    """Noise beside flat black and white, where cubic weights leave the range of bytes."""
    rng = np.random.default_rng(width_px)
    rgb = rng.integers(0, 256, (height_px, width_px, 3)).astype(np.uint8)
    rgb[:, ::7] = 255
    rgb[height_px // 3 : height_px // 2] = 0
    return rgb


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize(
    ("from_px", "to_px"),
    [
        ((640, 480), (224, 224)),
        ((64, 48), (518, 392)),
        ((101, 77), (101, 33)),
        ((37, 5), (1, 90)),
        ((80, 60), (80, 60)),
    ],
)
def test_every_byte_is_pillows(
    filter: Filter, from_px: tuple[int, int], to_px: tuple[int, int]
) -> None:
    rgb = picture(*from_px)
    found = Resampler(filter, from_px=from_px, to_px=to_px)(rgb)
    expected = np.asarray(Image.fromarray(rgb).resize(to_px, FILTERS[filter]))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("resample", ["linear", "antialiased_cubic"])
@pytest.mark.parametrize("size", [(640, 480), (48, 131), (300, 300)])
def test_a_crop_takes_the_middle(resample: str, size: tuple[int, int]) -> None:
    spec = ModelInput.model_validate(
        {
            "name": "x",
            "width_px": 56,
            "height_px": 56,
            "resize": "crop",
            "resample": resample,
            "dtype": "uint8",
            "layout": "nhwc",
        }
    )
    width_px, height_px = size
    rgb = np.zeros((height_px, width_px, 3), np.uint8)
    rgb[..., 0] = np.linspace(0, 255, width_px)
    rgb[..., 1] = np.linspace(0, 255, height_px)[:, None]
    inputs, placement = Preprocessor(spec)(rgb)
    seen = inputs["x"][0]
    assert seen.shape == (56, 56, 3)
    assert min(placement.width_px, placement.height_px) == 56
    for axis, channel, length in ((1, 0, width_px), (0, 1, height_px)):
        levels = seen[..., channel].mean(axis=1 - axis)
        shown = 255 * min(size) / length
        assert levels.mean() == pytest.approx(127.5, abs=4)
        assert np.ptp(levels) == pytest.approx(shown, rel=0.1)


def test_what_says_where_things_are_is_not_cropped() -> None:
    manifest = ModelManifest.model_validate(
        {
            "name": "x",
            "task": "features",
            "format": "features",
            "input": {"name": "x", "width_px": 8, "height_px": 8, "resize": "crop"},
        }
    )
    with pytest.raises(BundleError, match="leaves out two sides"):
        check_manifest(manifest)
