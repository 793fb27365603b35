"""What is wrong with a set is refused by training, and listed by `data check`, worst first."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sets_kit as kit

from robot_vision.core.errors import ConfigError
from robot_vision.training.data.opening.check import check_set
from robot_vision.training.data.opening.faults import Fault
from robot_vision.training.data.opening.open_set import open_set

Write = Callable[[Path], Path]
KINDS: dict[str, Write] = {
    "yolo": kit.write_yolo,
    "voc": kit.write_voc,
    "folders": kit.write_folders,
    "label_pngs": kit.write_label_pngs,
}


def found(root: str | Path) -> dict[Fault, str]:
    return {finding.fault: str(finding) for finding in check_set(root).findings}


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_set_has_no_faults(tmp_path: Path, kind: str) -> None:
    checked = check_set(KINDS[kind](tmp_path))
    assert checked.kind == kind
    assert checked.findings == ()


def test_a_sound_coco_set_has_no_faults(shapes_set: Path) -> None:
    checked = check_set(shapes_set)
    assert checked.kind == "coco"
    assert checked.findings == ()


def line(*numbers: float) -> Callable[[Path], object]:
    text = " ".join(str(n) for n in numbers)
    return lambda root: kit.write_text(root / "labels" / "train" / "0.txt", text)


def damage_image(root: Path) -> object:
    return (root / "images" / "train" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n rest")


def cut_image(root: Path) -> object:
    file = root / "images" / "train" / "0.png"
    return file.write_bytes(file.read_bytes()[:60])


def copy_within(root: Path) -> object:
    return shutil.copytree(root / "images" / "train", root / "images" / "train" / "again")


def copy_across(root: Path) -> object:
    return shutil.copy(root / "images/train/0.png", root / "images/val/100.png")


def large(root: Path) -> object:
    return kit.write_image(root / "images" / "train" / "0.png", np.zeros((900, 900, 3), np.uint8))


def rare(root: Path) -> object:
    many = "\n".join(f"0 {0.2 + n / 1000} .5 .1 .1" for n in range(700))
    kit.write_text(root / "labels" / "train" / "0.txt", many)
    for file in (root / "labels").rglob("*.txt"):
        if file.stem != "1":
            file.write_text(file.read_text().replace("\n1 ", "\n0 "))
    return None


YOLO_FAULTS = [
    (line(0, 0.5, 0.5, 0.2), Fault.LABELS_UNREADABLE, "4 numbers; expected a class"),
    (line(0, 0.5, 0.5, 0.2, 0.2, 0.9), Fault.LABELS_UNREADABLE, "6 numbers"),
    (line(0.5, 0.5, 0.5, 0.2, 0.2), Fault.LABELS_UNREADABLE, "class 0.5; expected 0, 1"),
    (line(0, 40, 30, 20, 20), Fault.LABELS_UNREADABLE, "not pixels"),
    (line(0, float("nan"), 0.5, 0.2, 0.2), Fault.LABELS_UNREADABLE, "fractions of the image"),
    (line(2, 0.5, 0.5, 0.2, 0.2), Fault.CLASS_WITHOUT_NAME, "class 2 of 2"),
    (line(0, 0.5, 0.5, 0, 0.2), Fault.BOX_WITHOUT_AREA, "box 1"),
    (line(0, 0.95, 0.5, 0.3, 0.2), Fault.BOX_BEYOND, "in 96×64 px"),
    (line(0, 0.5, 0.5, 0.2, 0.2, 0.5, 0.7), Fault.BOX_WITHOUT_AREA, "box"),
    (damage_image, Fault.IMAGE_UNREADABLE, "images/train/0.png"),
    (cut_image, Fault.IMAGE_UNREADABLE, "images/train/0.png"),
    (copy_within, Fault.PICTURE_TWICE, "0.png"),
    (copy_across, Fault.IN_TWO_SPLITS, "train and val"),
    (large, Fault.SIZES_VARY, "from 96×64 to 900×900 px"),
    (rare, Fault.CLASS_RARE, "slab"),
]


@pytest.mark.parametrize(("harm", "fault", "words"), YOLO_FAULTS)
def test_faults_of_yolo_sets_are_found(
    tmp_path: Path, harm: Callable[[Path], object], fault: Fault, words: str
) -> None:
    root = kit.write_yolo(tmp_path)
    if fault is Fault.BOX_WITHOUT_AREA and words == "box":
        harm = line(0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.7)
    harm(root)
    assert words in found(root)[fault]


@pytest.mark.parametrize(("harm", "fault", "words"), [f for f in YOLO_FAULTS if f[1].is_refused])
def test_what_training_cannot_use_is_refused(
    tmp_path: Path, harm: Callable[[Path], object], fault: Fault, words: str
) -> None:
    root = kit.write_yolo(tmp_path)
    harm(root)
    if harm is cut_image:  # its header is whole: training finds it when it decodes the picture
        return
    with pytest.raises(ConfigError, match="lists all faults") as refused:
        open_set(f"{root}@train")
    assert fault.words in str(refused.value)
    assert words in str(refused.value)


def test_boxes_that_are_there_twice_are_found(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path)
    kit.write_text(root / "labels" / "train" / "0.txt", "0 .5 .5 .2 .2\n" * 2)
    assert "box 2" in found(root)[Fault.BOX_TWICE]


def test_labels_and_images_that_miss_each_other_are_found(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path)
    (root / "labels" / "train" / "0.txt").rename(root / "labels" / "train" / "x.txt")
    listed = found(root)
    assert "images/train/0.png" in listed[Fault.IMAGE_WITHOUT_LABELS]
    assert "labels/train/x.txt" in listed[Fault.LABELS_WITHOUT_IMAGE]


def test_what_training_puts_up_with_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = kit.write_yolo(tmp_path)
    (root / "labels" / "train" / "0.txt").unlink()
    open_set(f"{root}@train")
    assert "images without labels: 1 (images/train/0.png)" in caplog.text


@pytest.mark.parametrize(
    ("names", "fault", "words"),
    [
        ("disc, slab, spoon", Fault.CLASS_EMPTY, "spoon"),
        ("disc, disc", Fault.NAME_TWICE, "disc: 2 classes"),
        ("disc, Disc", Fault.NAME_ALIKE, "'disc', 'Disc'"),
    ],
)
def test_faults_of_names_are_found(tmp_path: Path, names: str, fault: Fault, words: str) -> None:
    root = kit.write_yolo(tmp_path)
    (root / "data.yaml").write_text(f"names: [{names}]\ntrain: images/train\n")
    assert words in found(root)[fault]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("train: images/train", "expected a mapping with names"),
        ("names: {0: disc, 2: slab}\ntrain: images/train", "expected 0 to 1, each once"),
        ("names: {a: b}\ntrain: images/train", "expected ids 0, 1, 2"),
        ("names: disc\ntrain: images/train", "expected a list of 1 to"),
        ("names: [[disc]]\ntrain: images/train", "expected 1 to 200 letters"),
        ("names: [disc, slab]\nnc: 3\ntrain: images/train", "nc is '3', but 2 names"),
        ("names: [disc, slab]\ntrain: images/absent", "neither a folder nor a list"),
        ("names: [disc, slab]\nkpt_shape: [17, 3]\ntrain: images/train", "key points"),
        ("[", "expected YAML"),
    ],
)
def test_a_yolo_file_that_cannot_be_used_is_refused(
    tmp_path: Path, config: str, words: str
) -> None:
    root = kit.write_yolo(tmp_path)
    (root / "data.yaml").write_text(config)
    for use in (open_set, check_set):
        with pytest.raises(ConfigError, match=words):
            use(root)


@pytest.mark.parametrize(
    ("xml", "fault", "words"),
    [
        ("<annotation>", Fault.LABELS_UNREADABLE, "expected XML"),
        (kit.voc_xml("<object><name>a</name></object>"), Fault.LABELS_UNREADABLE, "no bndbox"),
        (
            kit.voc_xml(kit.voc_object("disc", (0, 0, float("nan"), 1))),
            Fault.LABELS_UNREADABLE,
            "xmax is 'nan'; expected a number of pixels",
        ),
        (kit.voc_xml(kit.voc_object("", (0, 0, 5, 5))), Fault.LABELS_UNREADABLE, "a name is ''"),
        (kit.voc_xml(kit.voc_object("disc", (5, 5, 5, 9))), Fault.BOX_WITHOUT_AREA, "box 1"),
        (kit.voc_xml(kit.voc_object("disc", (5, 5, 99, 9))), Fault.BOX_BEYOND, "box 1"),
        (kit.voc_xml(width_px=90), Fault.IMAGE_SIZE, "(96, 64), and its XML file says (90, 64)"),
    ],
)
def test_faults_of_voc_sets_are_found(tmp_path: Path, xml: str, fault: Fault, words: str) -> None:
    root = kit.write_voc(tmp_path)
    kit.write_text(root / "Annotations" / "0.xml", xml)
    assert words in found(root)[fault]


def test_names_that_voc_lists_but_does_not_have_are_found(tmp_path: Path) -> None:
    root = kit.write_voc(tmp_path)
    kit.write_text(root / "classes.txt", "disc\n")
    kit.write_text(root / "ImageSets" / "Main" / "val.txt", "100\n55\n")
    kit.write_text(root / "Annotations" / "77.xml", kit.voc_xml())
    listed = found(root)
    assert "slab is not in classes.txt" in listed[Fault.CLASS_WITHOUT_NAME]
    assert "55: named in val.txt" in listed[Fault.IMAGE_MISSING]
    assert "77.xml" in listed[Fault.LABELS_WITHOUT_IMAGE]


def test_faults_of_label_pngs_are_found(tmp_path: Path) -> None:
    root = kit.write_label_pngs(tmp_path, images=5)
    (root / "masks" / "0.png").write_bytes(
        kit.png_of(np.zeros((9, 9), np.uint8), bits=8, palette=True)
    )
    (root / "masks" / "1.png").rename(root / "masks" / "x.png")
    kit.write_image(root / "masks" / "2.png", kit.drawn(2).bgr)
    nameless = kit.drawn(3).mask + 3
    (root / "masks" / "3.png").write_bytes(kit.png_of(nameless, bits=8, palette=False))
    listed = found(root)
    assert "(9, 9), its image (96, 64)" in listed[Fault.MASK_SIZE]
    assert "images/1.png" in listed[Fault.IMAGE_WITHOUT_LABELS]
    assert "masks/x.png" in listed[Fault.LABELS_WITHOUT_IMAGE]
    assert "a PNG in colours" in listed[Fault.LABELS_UNREADABLE]
    assert "[3, 4, 5]" in listed[Fault.CLASS_WITHOUT_NAME]


def test_label_pngs_without_names_are_refused(tmp_path: Path) -> None:
    root = kit.write_label_pngs(tmp_path)
    (root / "classes.txt").unlink()
    with pytest.raises(ConfigError, match="no names of class ids"):
        open_set(root)


def test_faults_of_folders_are_found(tmp_path: Path) -> None:
    root = kit.write_folders(tmp_path)
    (root / "spoon").mkdir()
    kit.write_image(root / "loose.png", kit.drawn(50).bgr)
    kit.write_image(root / "disc" / "7.tiff", kit.drawn(51).bgr)
    listed = found(root)
    assert "spoon" in listed[Fault.CLASS_EMPTY]
    assert "loose.png" in listed[Fault.IMAGE_WITHOUT_LABELS]
    assert "disc/7.tiff" in listed[Fault.NOT_READ]


def changed_coco(shapes_set: Path, root: Path) -> Path:
    content = json.loads((shapes_set / "annotations.json").read_text())
    shutil.copytree(shapes_set, root)
    images, annotations = content["images"], content["annotations"]
    annotations[0]["category_id"] = 99
    annotations[2]["image_id"] = 999
    annotations[4]["bbox"] = [0, 0, "x", 1]
    annotations[6]["segmentation"] = {"size": [1, 1], "counts": "0"}
    images[4]["width"] = 100
    images[5]["file_name"] = "../beside.png"
    (root / "rgb" / "000006.png").unlink()
    content["categories"].append({"id": 50, "name": "slab"})
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def test_all_faults_of_a_coco_set_are_found_at_once(shapes_set: Path, tmp_path: Path) -> None:
    root = changed_coco(shapes_set, tmp_path / "set")
    listed = found(root)
    expected = {
        Fault.OUTSIDE: "not a file below",
        Fault.LABELS_UNREADABLE: "a mask has",
        Fault.IMAGE_MISSING: "rgb/000006.png",
        Fault.CLASS_WITHOUT_NAME: "category_id '99'",
        Fault.IMAGE_SIZE: "(128, 96), and the labels say (100, 96)",
        Fault.NAME_TWICE: "slab: 2 classes",
        Fault.CLASS_EMPTY: "slab",
        Fault.LABELS_WITHOUT_IMAGE: "an annotation of image 999",
    }
    assert [fault for fault in listed if fault in expected] == list(expected)
    for fault, words in expected.items():
        assert words in listed[fault], fault
