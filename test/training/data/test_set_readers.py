"""Sets as people have them: each kind is recognised, and read with the right values."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import sets_kit as kit

from robot_vision.codecs.header import image_size_px
from robot_vision.core.errors import ConfigError, UnknownNameError
from robot_vision.training.data.labels.labelled import (
    ClassificationSet,
    DetectionSet,
    SegmentationSet,
)
from robot_vision.training.data.labels.masks import instance_map, read_mask
from robot_vision.training.data.opening.check import check_set
from robot_vision.training.data.opening.kinds import SETS
from robot_vision.training.data.opening.open_set import kind_of, load_detection_set, open_set
from robot_vision.training.data.samples.image_files import image_file_size_px
from robot_vision.training.data.samples.samples import SampleCache

Write = Callable[[Path], Path]


def check_detections(opened: DetectionSet, numbers: list[int]) -> None:
    assert opened.class_names == kit.NAMES
    assert [image.rgb_file.stem for image in opened.images] == [str(n) for n in numbers]
    for image, number in zip(opened.images, numbers, strict=True):
        picture = kit.drawn(number)
        assert (image.width_px, image.height_px) == (kit.WIDTH_PX, kit.HEIGHT_PX)
        assert image.class_id.tolist() == [class_id for class_id, _ in picture.boxes]
        expected = [box for _, box in picture.boxes]
        assert np.allclose(image.box_xyxy_px, expected, atol=1e-3)


def test_yolo_labels_are_read_by_split(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path)
    assert kind_of(root) == "yolo"
    check_detections(load_detection_set(f"{root}@train"), [0, 1, 2, 3])
    check_detections(load_detection_set(f"{root}@val"), [100, 101])


def test_voc_boxes_begin_at_one_and_hold_their_last_pixel(tmp_path: Path) -> None:
    root = kit.write_voc(tmp_path)
    assert kind_of(root) == "voc"
    check_detections(load_detection_set(f"{root}@train"), [0, 1, 2, 3])
    check_detections(load_detection_set(f"{root}@val"), [100, 101])


def test_a_part_must_be_named_where_there_are_several(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path)
    with pytest.raises(ConfigError, match=r"parts train, val; name one of them: .*@train"):
        load_detection_set(root)
    with pytest.raises(ConfigError, match="no part 'test'; available: train, val"):
        load_detection_set(f"{root}@test")
    with pytest.raises(ConfigError, match="no part 'test'; available: train, val"):
        check_set(f"{root}@test")


@pytest.mark.parametrize("config", ["names: [disc, slab]", "names: {0: disc, 1: slab}\nnc: 2"])
def test_yolo_names_may_be_a_list_or_a_mapping(tmp_path: Path, config: str) -> None:
    root = kit.write_yolo(tmp_path)
    kit.write_text(root / "data.yaml", f"{config}\ntrain: [../images/train]\n")
    check_detections(load_detection_set(root), [0, 1, 2, 3])


def test_yolo_names_may_be_in_a_file_of_their_own(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path)
    (root / "data.yaml").unlink()
    kit.write_text(root / "classes.txt", "disc\nslab\n")
    check_detections(load_detection_set(f"{root}@val"), [100, 101])


def test_yolo_images_may_be_listed_in_a_file(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path)
    kit.write_text(root / "some.txt", "./images/train/2.png\nimages/val/101.png\n")
    kit.write_text(root / "data.yaml", "names: [disc, slab]\ntrain: some.txt\n")
    check_detections(load_detection_set(root), [2, 101])


def test_a_yolo_polygon_is_a_mask_within_its_box(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path, train=1)
    kit.write_text(root / "labels" / "train" / "0.txt", "1 0.25 0.25 0.75 0.25 0.75 0.5 0.25 0.5")
    (image,) = load_detection_set(f"{root}@train").images
    assert image.box_xyxy_px.tolist() == [[24, 16, 72, 32]]
    mask = instance_map(image)
    assert mask.sum() == mask[16:32, 24:72].sum() == 48 * 16


def test_an_image_without_yolo_labels_shows_nothing(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path, train=2)
    (root / "labels" / "train" / "0.txt").unlink()
    images = load_detection_set(f"{root}@train").images
    assert [len(image.class_id) for image in images] == [0, 2]


def test_difficult_objects_are_a_crowd(tmp_path: Path) -> None:
    root = kit.write_voc(tmp_path, train=1)
    hard = kit.voc_object("disc", (0, 0, 10, 10), difficult=1)
    kit.write_text(root / "Annotations" / "0.xml", kit.voc_xml(hard))
    (image,) = load_detection_set(f"{root}@train").images
    assert len(image.box_xyxy_px) == 0
    assert image.crowd_xyxy_px.tolist() == [[0, 0, 10, 10]]
    assert image.crowd_class_id.tolist() == [0]


def test_splits_of_voc_agree_on_their_classes(tmp_path: Path) -> None:
    root = kit.write_voc(tmp_path, train=1, val=1)
    slab = kit.voc_object("slab", (1, 2, 30, 40))
    kit.write_text(root / "Annotations" / "0.xml", kit.voc_xml(slab))
    for split in ("train", "val"):
        assert load_detection_set(f"{root}@{split}").class_names == kit.NAMES


@pytest.mark.parametrize("folder", ["train", "images/train", "images", "."])
def test_coco_may_lie_as_it_is_published(shapes_set: Path, tmp_path: Path, folder: str) -> None:
    content = json.loads((shapes_set / "annotations.json").read_text())
    shutil.copytree(shapes_set / "rgb", tmp_path / folder, dirs_exist_ok=True)
    for image in content["images"]:
        image["file_name"] = image["file_name"].removeprefix("rgb/")
    for split in ("train", "val"):
        file = tmp_path / "annotations" / f"instances_{split}.json"
        kit.write_text(file, json.dumps(content))
    kit.write_text(tmp_path / "annotations" / "captions_train.json", "{}")
    opened = load_detection_set(f"{tmp_path}@train")
    assert opened.class_names == ("disc", "slab")
    assert all(image.rgb_file.is_file() for image in opened.images)
    with pytest.raises(ConfigError, match="parts train, val"):
        load_detection_set(tmp_path)


def test_a_folder_a_class_is_read(tmp_path: Path) -> None:
    opened = open_set(kit.write_folders(tmp_path))
    assert isinstance(opened, ClassificationSet)
    assert opened.class_names == kit.NAMES
    assert [image.class_id for image in opened.images] == [0, 0, 0, 1, 1, 1]


def test_folders_may_be_divided_and_agree_on_their_classes(tmp_path: Path) -> None:
    kit.write_folders(tmp_path / "train")
    kit.write_image(tmp_path / "val" / "slab" / "0.png", kit.drawn(9).bgr)
    opened = open_set(f"{tmp_path}@val")
    assert isinstance(opened, ClassificationSet)
    assert opened.class_names == kit.NAMES
    assert [image.class_id for image in opened.images] == [1]


@pytest.mark.parametrize("palette", [False, True])
def test_label_pngs_are_read_by_id(tmp_path: Path, palette: bool) -> None:
    opened = open_set(kit.write_label_pngs(tmp_path, palette=palette))
    assert isinstance(opened, SegmentationSet)
    assert opened.class_names == ("background", "disc", "slab")
    for number, image in enumerate(opened.images):
        mask = read_mask(image.mask_file)
        assert (mask[:4] == 255).all()
        assert np.array_equal(mask[4:], kit.drawn(number).mask[4:])


@pytest.mark.parametrize("palette", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_masks_of_few_bits_keep_their_ids(tmp_path: Path, bits: int, palette: bool) -> None:
    mask = np.random.default_rng(0).integers(0, 2**bits, (13, 21), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(kit.png_of(mask, bits=bits, palette=palette))
    assert np.array_equal(read_mask(tmp_path / "a.png"), mask)


@pytest.mark.parametrize(
    "content",
    ['["background", "disc", "slab"]', '{"0": "background", "1": "disc", "2": "slab"}',
     '{"slab": 2, "background": 0, "disc": 1}'],
)  # fmt: skip
def test_names_of_ids_may_be_json(tmp_path: Path, content: str) -> None:
    root = kit.write_label_pngs(tmp_path)
    (root / "classes.txt").unlink()
    kit.write_text(root / "labels.json", content)
    assert open_set(root).class_names == ("background", "disc", "slab")


def test_sizes_are_those_of_the_picture_as_it_is_shown(tmp_path: Path) -> None:
    file = kit.write_image(tmp_path / "a.jpg", np.zeros((20, 30, 3), np.uint8))
    jpeg = file.read_bytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    file.write_bytes(jpeg[:2] + segment + jpeg[2:])
    assert image_size_px(file.read_bytes()) == (30, 20)
    assert image_file_size_px(file) == (20, 30)
    assert cv2.imread(str(file)).shape[:2] == (30, 20)


def test_a_folder_that_is_not_a_set_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        open_set(tmp_path)
    for name in SETS:
        assert SETS.get(name).looked_for in str(refused.value)
    with pytest.raises(ConfigError, match="not a folder"):
        open_set(tmp_path / "absent")


def test_a_folder_of_two_kinds_is_refused_with_the_choices(tmp_path: Path) -> None:
    root = kit.write_label_pngs(kit.write_yolo(tmp_path))
    with pytest.raises(ConfigError, match="several kinds: label_pngs, yolo"):
        open_set(root)
    assert isinstance(open_set(f"{root}@val", "yolo"), DetectionSet)
    with pytest.raises(UnknownNameError, match="did you mean 'yolo'"):
        open_set(root, "yol")


@pytest.mark.parametrize("write", [kit.write_yolo, kit.write_voc, kit.write_label_pngs])
def test_further_folders_of_pictures_are_not_classes(tmp_path: Path, write: Write) -> None:
    root = write(tmp_path)
    kit.write_image(root / "SegmentationClass" / "0.png", kit.drawn(0).bgr)
    assert kind_of(root) == write.__name__.removeprefix("write_")


def test_parts_with_images_and_labels_are_not_classes(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path)
    (root / "data.yaml").unlink()
    for split in ("train", "val"):
        for folder in ("images", "labels"):
            (root / split).mkdir(exist_ok=True)
            (root / folder / split).rename(root / split / folder)
    with pytest.raises(ConfigError, match="not a known kind of set"):
        open_set(root)
    names = "names: [disc, slab]\ntrain: ../train/images\nval: ../val/images\n"
    kit.write_text(root / "data.yaml", names)
    check_detections(load_detection_set(f"{root}@val"), [100, 101])


def test_links_within_a_set_are_followed(tmp_path: Path) -> None:
    root = kit.write_folders(tmp_path)
    (root / "disc").rename(root / ".discs")
    (root / "disc").symlink_to(root / ".discs")
    assert [image.class_id for image in open_set(root).images] == [0, 0, 0, 1, 1, 1]


def test_a_set_without_boxes_is_not_a_detection_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one class per image; expected one with boxes"):
        load_detection_set(kit.write_folders(tmp_path))


@pytest.mark.parametrize("write", [kit.write_yolo, kit.write_voc])
def test_samples_are_made_of_any_set_with_boxes(tmp_path: Path, write: Write) -> None:
    root = write(tmp_path / "set")
    caches = [
        SampleCache(
            load_detection_set(f"{root}@{split}"), width_px=96, height_px=64, folder=tmp_path
        )
        for split in ("train", "val")
    ]
    for cache, number in zip(caches, (0, 100), strict=True):
        picture = kit.drawn(number)
        assert np.array_equal(cache[0].rgb, picture.bgr[..., ::-1])
        assert np.allclose(cache[0].box_xyxy_px, [box for _, box in picture.boxes], atol=1e-3)


def test_samples_of_a_set_that_was_changed_are_decoded_again(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path / "set", train=1)
    for number in (0, 7):
        kit.write_image(root / "images" / "train" / "0.png", kit.drawn(number).bgr)
        source = load_detection_set(f"{root}@train")
        cache = SampleCache(source, width_px=96, height_px=64, folder=tmp_path)
        assert np.array_equal(cache[0].rgb, kit.drawn(number).bgr[..., ::-1])
