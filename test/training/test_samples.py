"""From COCO files to batches: cached, augmented, and boxes still around their objects."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from small_disk import small_disk

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.disk import DiskFullError
from robot_vision.core.parameters.values import with_values
from robot_vision.training.data.labels.masks import decode_segmentation, instance_map
from robot_vision.training.data.opening.check import check_set
from robot_vision.training.data.opening.faults import Fault
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.augmentation import Augmentation
from robot_vision.training.data.samples.batches import BatchStream, Resolution
from robot_vision.training.data.samples.hidden import punch_holes
from robot_vision.training.data.samples.light import hue_turns
from robot_vision.training.data.samples.samples import (
    Batch,
    Sample,
    SampleCache,
    SampleStack,
    collate,
)
from robot_vision.training.data.sets.coco import load_coco_set


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


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"x" * 99, "expected one of JPEG, PNG"),
        (cv2.imencode(".png", np.zeros((96, 128, 3), np.uint8))[1].tobytes(), "one of 16 bits"),
    ],
)
def test_damaged_depth_is_named_and_found(
    shapes_set: Path, tmp_path: Path, content: bytes, why: str
) -> None:
    root = tmp_path / "set"
    shutil.copytree(shapes_set, root, ignore=shutil.ignore_patterns("cache"))
    (root / "depth" / "000000.png").write_bytes(content)
    cache = SampleCache(load_coco_set(root), width_px=128, height_px=96, folder=tmp_path)
    with pytest.raises(ConfigError, match=rf"depth/000000\.png, .*{why}"):
        cache[0]
    (finding,) = [f for f in check_set(root).findings if f.fault == Fault.IMAGE_UNREADABLE]
    assert "depth/000000.png" in str(finding)


def augmented(cache: SampleCache, *, size: tuple[int, int], seed: int, **options: float) -> Batch:
    """Every sample once, in the order of the set."""
    torch.manual_seed(seed)
    stack = cache.stacked(torch.device("cpu"))
    augment = Augmenter(with_values(Augmentation(), dict(options)), cache.source.class_names)
    return augment(stack, torch.arange(len(stack)), width_px=size[0], height_px=size[1])


@pytest.mark.parametrize("size", [(160, 128), (96, 64)])
def test_boxes_stay_around_their_objects_through_augmentation(
    cache: SampleCache, size: tuple[int, int]
) -> None:
    checked = 0
    for seed in range(5):
        batch = augmented(cache, size=size, seed=seed)
        assert batch.rgb.shape == (12, size[1], size[0], 3)
        for image, row in (batch.class_id >= 0).nonzero().tolist():
            seen = batch.instances[image] == batch.instance_id[image, row]
            rows, columns = seen.nonzero(as_tuple=True)
            low = torch.stack([columns.min(), rows.min()]) * 4
            high = torch.stack([columns.max(), rows.max()]) * 4 + 4
            assert torch.allclose(
                torch.cat([low, high]).float(), batch.boxes_xyxy[image, row], atol=6.0
            )
            checked += 1
    assert checked > 60


def test_turned_hues_are_recorded_and_leave_all_else(cache: SampleCache) -> None:
    still = {"flip": 0, "scale_min": 1, "scale_max": 1, "shift": 0, "color": 0}
    batch = augmented(cache, size=(160, 128), seed=1, hue=0.5, **still)
    plain = collate([cache[i] for i in range(len(cache))])
    assert 0 < batch.hue_turned.sum() < len(cache)
    for image, turned in enumerate(batch.hue_turned.tolist()):
        assert torch.equal(batch.rgb[image], plain.rgb[image]) != turned
    assert torch.equal(batch.class_id, plain.class_id)
    assert torch.equal(batch.instances, plain.instances)


def test_turned_hues_keep_greys_and_come_round() -> None:
    third = torch.tensor([2 * torch.pi / 3, 0.0])
    turns = hue_turns(third, saturation=torch.tensor([1.0, 0.0]))
    assert torch.allclose(turns.sum(dim=2), torch.ones(2, 3), atol=1e-6)
    red, green, blue = torch.eye(3)
    assert torch.allclose(turns[0] @ red, green, atol=1e-6)
    assert torch.allclose(turns[0] @ green, blue, atol=1e-6)
    assert torch.allclose(turns[1] @ red, torch.full((3,), 1 / 3), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "least", "most"),
    [
        ({}, 0.4, 0.6),
        ({"small_objects": 1}, 0.9, 1.0),
        ({"sought": ["disc"]}, 0.7, 0.9),
        ({"sought": ["slab"]}, 0.1, 0.3),
    ],
)
def test_crops_are_around_small_and_sought_objects_as_often_as_asked(
    options: dict[str, object], least: float, most: float
) -> None:
    slab, small_disc = [0.0, 0.0, 80.0, 100.0], [120.0, 90.0, 136.0, 106.0]
    stack = SampleStack(
        planes=torch.zeros(1, 128, 160, 8, dtype=torch.uint8),
        focal_px=torch.tensor([200.0]),
        boxes_xyxy=torch.tensor([[slab, small_disc, [0.0] * 4]]),
        class_id=torch.tensor([[1, 0, -1]]),
        color_id=torch.tensor([[0, 0, -1]]),
    )
    still = {"scale_min": 1, "scale_max": 1, "shift": 0}
    augment = Augmenter(with_values(Augmentation(), still | options), ("disc", "slab"))
    torch.manual_seed(0)
    batch = augment(stack, torch.zeros(400, dtype=torch.int64), width_px=64, height_px=64)
    shows_disc = (batch.class_id == 0).any(dim=1)
    assert torch.all(shows_disc ^ (batch.class_id == 1).any(dim=1))
    assert least < shows_disc.float().mean() < most


def test_a_sought_class_that_the_set_lacks_is_named() -> None:
    with pytest.raises(ConfigError, match="no class spoon; it has disc, slab"):
        Augmenter(Augmentation(sought=["disc", "spoon"]), ("disc", "slab"))


def test_crops_hold_an_object(cache: SampleCache) -> None:
    batch = augmented(cache, size=(96, 64), seed=3, shift=0)
    assert (batch.class_id >= 0).any(dim=1).float().mean() > 0.9


def test_without_changes_a_sample_stays_as_it_is(cache: SampleCache) -> None:
    still = {"flip": 0, "scale_min": 1, "scale_max": 1, "shift": 0, "color": 0}
    batch = augmented(cache, size=(160, 128), seed=0, depth_withheld=0, depth_holes=0, **still)
    plain = collate([cache[i] for i in range(len(cache))])
    assert torch.equal(batch.rgb, plain.rgb)
    assert torch.allclose(batch.boxes_xyxy, plain.boxes_xyxy, atol=1e-3)
    for name in ("depth_m", "depth_true_m", "instances", "class_id", "color_id", "instance_id"):
        assert torch.equal(getattr(batch, name), getattr(plain, name)), name


def test_zoom_lengthens_the_lens_and_leaves_depth(shapes_set: Path, tmp_path: Path) -> None:
    root = shutil.copytree(shapes_set, tmp_path / "set")
    content = json.loads((root / "annotations.json").read_text())
    for image in content["images"]:
        image["intrinsics_px"] = [100.0, 100.0, 64.0, 48.0]
    (root / "annotations.json").write_text(json.dumps(content))
    source = load_coco_set(root)
    cache = SampleCache(source, width_px=160, height_px=128, folder=tmp_path)
    options = {"scale_min": 2, "scale_max": 2, "depth_withheld": 0, "depth_holes": 0}
    batch = augmented(cache, size=(160, 128), seed=0, **options)
    assert torch.allclose(batch.focal_px, torch.tensor(250.0))
    depths_mm = (batch.depth_true_m.unique() * 1000).round().tolist()
    assert set(depths_mm) <= {0, 900, 1500}


def stream_of(shapes_set: Path, folder: Path, *, seed: int = 0, **values: object) -> BatchStream:
    source = load_coco_set(shapes_set)
    cache = SampleCache(source, width_px=160, height_px=128, folder=folder)
    augment = Augmenter(with_values(Augmentation(), values), source.class_names)
    return BatchStream(cache, augment, seed=seed, device=torch.device("cpu"))


def test_a_step_has_the_same_batch_again(shapes_set: Path, tmp_path: Path) -> None:
    one, other = (stream_of(shapes_set, tmp_path, seed=1) for _ in range(2))
    size = Resolution(width_px=96, height_px=64)
    for step in (5, 2):
        a, b = (stream.batch(step, size, batch_size=4) for stream in (one, other))
        assert torch.equal(a.rgb, b.rgb)
        assert torch.equal(a.depth_m, b.depth_m)
        assert torch.equal(a.boxes_xyxy, b.boxes_xyxy)
    first, third = (one.batch(step, size, batch_size=4) for step in (1, 3))
    assert not torch.equal(first.rgb, third.rgb)


def test_every_pass_shows_each_image_once(shapes_set: Path, tmp_path: Path) -> None:
    still = {"flip": 0, "scale_min": 1, "scale_max": 1, "shift": 0, "color": 0}
    stream = stream_of(shapes_set, tmp_path, **still)
    plain = SampleCache(load_coco_set(shapes_set), width_px=160, height_px=128, folder=tmp_path)
    known = [torch.from_numpy(plain[i].rgb) for i in range(12)]
    size = Resolution(width_px=160, height_px=128)
    for first in (0, 3):
        batches = [stream.batch(first + step, size, batch_size=4) for step in range(3)]
        shown = torch.cat([batch.rgb for batch in batches])
        seen = [next(i for i, k in enumerate(known) if torch.equal(k, rgb)) for rgb in shown]
        assert sorted(seen) == list(range(12))


def test_depth_is_withheld_as_often_as_asked(cache: SampleCache) -> None:
    def share_without(part: float) -> float:
        batches = [
            augmented(cache, size=(96, 64), seed=seed, depth_withheld=part) for seed in range(5)
        ]
        assert all(batch.depth_true_m.flatten(1).any(dim=1).all() for batch in batches)
        return float(np.mean([(~b.depth_m.flatten(1).any(dim=1)).float().mean() for b in batches]))

    assert share_without(0.0) == 0.0
    assert share_without(1.0) == 1.0
    assert 0.2 < share_without(0.5) < 0.8


def test_holes_only_remove() -> None:
    torch.manual_seed(0)
    depth_m = torch.full((8, 1, 96, 128), 1.2)
    holed = punch_holes(depth_m)
    assert torch.equal(holed.unique(), torch.tensor([0.0, 1.2]))
    assert ((holed == 0).flatten(1).float().mean(dim=1) < 0.7).all()


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


def test_a_disk_without_room_for_samples_is_an_error(shapes_set: Path, tmp_path: Path) -> None:
    source = load_coco_set(shapes_set)
    with (
        small_disk(tmp_path / "disk", size_mb=2) as disk,
        pytest.raises(DiskFullError, match="MB are free"),
    ):
        SampleCache(source, width_px=416, height_px=320, folder=disk)
