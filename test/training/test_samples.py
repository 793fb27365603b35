"""From COCO files to batches: cached, augmented, and boxes still around their objects."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from robot_vision.core.errors import ConfigError
from robot_vision.training.augment import AlbumentationsAugment, punch_holes
from robot_vision.training.coco_set import decode_segmentation, instance_map, load_coco_set
from robot_vision.training.dataset import Sample, SampleCache, SampleStream, collate
from robot_vision.training.recipe import Augmentation


@pytest.fixture
def cache(shapes_set: Path, tmp_path: Path) -> SampleCache:
    return SampleCache(load_coco_set(shapes_set), width_px=160, height_px=128, folder=tmp_path)


def extent_of(sample: Sample, instance: int) -> np.ndarray:
    rows, columns = np.nonzero(sample.instances == instance)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)


def test_a_set_is_read_with_categories_in_the_order_of_their_ids(shapes_set: Path) -> None:
    source = load_coco_set(shapes_set)
    assert source.class_names == ("disc", "slab")
    assert source.color_names == ("blue", "red")
    assert len(source.images) == 12
    assert set(np.concatenate([image.class_id for image in source.images])) == {0, 1}


@pytest.mark.parametrize("content", ["", "[]", '{"images": []}'])
def test_a_set_that_is_not_coco_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "annotations.json").write_text(content)
    with pytest.raises(ConfigError, match=r"annotations\.json"):
        load_coco_set(tmp_path)


def test_crowds_are_kept_apart(shapes_set: Path, tmp_path: Path) -> None:
    content = json.loads((shapes_set / "annotations.json").read_text())
    content["annotations"][0]["iscrowd"] = 1
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    first = load_coco_set(tmp_path).images[0]
    assert len(first.box_xyxy_px) == 1
    assert len(first.crowd_xyxy_px) == 1


def test_masks_in_all_three_spellings_are_equal() -> None:
    polygon = [[2.0, 2.0, 10.0, 2.0, 10.0, 8.0, 2.0, 8.0]]
    from_polygon = decode_segmentation(polygon, (12, 16))
    counts = []
    flat = from_polygon.flatten(order="F")
    change = np.flatnonzero(np.diff(np.concatenate([[0], flat, [2]])))
    counts = np.diff(np.concatenate([[0], change])).tolist()
    plain = {"size": [12, 16], "counts": counts}
    assert from_polygon.sum() == 48
    assert np.array_equal(decode_segmentation(plain, (12, 16)), from_polygon)


def test_samples_are_placed_as_the_service_places_frames(cache: SampleCache) -> None:
    sample = cache[0]
    assert sample.rgb.shape == (128, 160, 3)
    assert np.all(sample.rgb[:4] == 114)
    for instance, box in zip(sample.instance_id, sample.box_xyxy_px, strict=True):
        assert np.allclose(extent_of(sample, int(instance)), box, atol=2.0)
    assert set(np.unique(sample.depth_mm)) <= {0, 900, 1500}


def test_the_cache_gives_the_same_sample_again(cache: SampleCache) -> None:
    once, again = cache[3], cache[3]
    for name in ("rgb", "depth_mm", "depth_true_mm", "instances"):
        assert np.array_equal(getattr(once, name), getattr(again, name))


def test_a_missing_picture_is_named(shapes_set: Path, tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text((shapes_set / "annotations.json").read_text())
    cache = SampleCache(load_coco_set(tmp_path), width_px=128, height_px=96, folder=tmp_path)
    with pytest.raises(ConfigError, match=r"000000\.png"):
        cache[0]


@pytest.mark.parametrize("size", [(160, 128), (96, 64)])
def test_boxes_stay_around_their_objects_through_augmentation(
    cache: SampleCache, size: tuple[int, int]
) -> None:
    stream = SampleStream(cache, augment=AlbumentationsAugment(Augmentation()), seed=1)
    checked = 0
    for number in range(40):
        sample = stream[(number, *size)]
        assert sample.rgb.shape == (size[1], size[0], 3)
        for instance, box in zip(sample.instance_id, sample.box_xyxy_px, strict=True):
            assert np.allclose(extent_of(sample, int(instance)), box, atol=3.0)
            checked += 1
    assert checked > 30


def test_augmentation_is_the_same_for_the_same_number(cache: SampleCache) -> None:
    one, other = (
        SampleStream(cache, augment=AlbumentationsAugment(Augmentation()), seed=1)
        for _ in range(2)
    )
    for number in (5, 17):
        a, b = one[(number, 96, 64)], other[(number, 96, 64)]
        assert np.array_equal(a.rgb, b.rgb)
        assert np.array_equal(a.depth_mm, b.depth_mm)
        assert np.array_equal(a.box_xyxy_px, b.box_xyxy_px)


def test_every_pass_shows_each_image_once(cache: SampleCache) -> None:
    still = Augmentation(flip=0, scale_min=1, scale_max=1, shift=0, color=0)
    stream = SampleStream(cache, augment=AlbumentationsAugment(still), seed=3)
    for start in (0, len(cache)):
        numbers = range(start, start + len(cache))
        seen = sorted(stream[(n, 160, 128)].image_id for n in numbers)
        assert seen == list(range(1, len(cache) + 1))


def test_depth_is_withheld_as_often_as_asked(cache: SampleCache) -> None:
    def share_without(part: float) -> float:
        augment = AlbumentationsAugment(Augmentation(depth_withheld=part, color=0))
        stream = SampleStream(cache, augment=augment, seed=0)
        samples = [stream[(n, 96, 64)] for n in range(60)]
        assert all(s.depth_true_mm.any() for s in samples)
        return float(np.mean([not s.depth_mm.any() for s in samples]))

    assert share_without(0.0) == 0.0
    assert share_without(1.0) == 1.0
    assert 0.2 < share_without(0.5) < 0.8


def test_holes_only_remove() -> None:
    depth_mm = np.full((96, 128), 1200, np.uint16)
    holed = punch_holes(depth_mm, np.random.default_rng(0))
    assert set(np.unique(holed)) == {0, 1200}
    assert (holed == 0).mean() < 0.6


def test_batches_pad_objects_and_sample_truth_at_a_quarter(cache: SampleCache) -> None:
    few, many = cache[0], cache[1]
    batch = collate([few, many])
    assert batch.rgb.dtype == torch.uint8
    assert batch.depth_m.max() == pytest.approx(1.5)
    assert batch.depth_true_m.shape == (2, 1, 32, 40)
    assert batch.instances.shape == (2, 32, 40)
    assert torch.all(batch.class_id >= 0)


def test_boxes_alone_make_samples_without_depth_or_masks(boxes_set: Path, tmp_path: Path) -> None:
    source = load_coco_set(boxes_set)
    assert not instance_map(source.images[0]).any()
    sample = SampleCache(source, width_px=128, height_px=96, folder=tmp_path)[0]
    assert not sample.depth_mm.any()
    assert not sample.depth_true_mm.any()
    assert len(sample.box_xyxy_px) == 2
    assert np.all(sample.color_id == -1)
