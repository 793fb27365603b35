"""Sets of strangers: no file beside theirs is read, and no text of theirs does harm."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import sets_kit as kit
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.errors import ConfigError, EncodingError, ForeignFileError
from robot_vision.core.files.foreign_xml import parse_xml
from robot_vision.training.data.labels.masks import MOST_BEYOND, read_mask
from robot_vision.training.data.labels.names import names_by_id
from robot_vision.training.data.opening.check import check_set
from robot_vision.training.data.opening.faults import Fault
from robot_vision.training.data.opening.open_set import open_set
from robot_vision.training.data.sets.voc import parse_labels
from robot_vision.training.data.sets.yolo import label_file_of, parse_label


def is_outside(root: Path) -> bool:
    return any(f.fault is Fault.OUTSIDE for f in check_set(root).findings)


@pytest.mark.parametrize("name", ["../beside", "/etc", "images/../../beside", "a\0b", "x" * 5000])
def test_folders_beside_the_set_are_not_read(tmp_path: Path, name: str) -> None:
    kit.write_image(tmp_path / "beside" / "1.png", kit.drawn(1).bgr)
    root = kit.write_yolo(tmp_path / "set")
    kit.write_text(root / "data.yaml", f"names: [a, b]\ntrain: {name!r}\n".replace("\0", "\\0"))
    with pytest.raises(ConfigError, match=r"neither a folder nor a list|expected YAML"):
        open_set(root)


def test_paths_that_point_beside_the_set_are_taken_as_the_set(tmp_path: Path) -> None:
    kit.write_image(tmp_path / "images" / "train" / "1.png", kit.drawn(1).bgr)
    root = kit.write_yolo(tmp_path / "set")
    kit.write_text(root / "data.yaml", "path: ..\nnames: [disc, slab]\ntrain: images/train\n")
    assert len(open_set(root).images) == 4


@pytest.mark.parametrize("name", ["../1.png", "/etc/passwd", "images/../../1.png"])
def test_listed_images_beside_the_set_are_not_read(tmp_path: Path, name: str) -> None:
    kit.write_image(tmp_path / "1.png", kit.drawn(1).bgr)
    root = kit.write_yolo(tmp_path / "set")
    kit.write_text(root / "list.txt", name)
    kit.write_text(root / "data.yaml", "names: [disc, slab]\ntrain: list.txt\n")
    with pytest.raises(ConfigError, match="not below the set"):
        open_set(root)
    assert is_outside(root)


@pytest.mark.parametrize("link", ["images/train/0.png", "labels/train/0.txt"])
def test_links_out_of_a_yolo_set_are_not_followed(tmp_path: Path, link: str) -> None:
    root = kit.write_yolo(tmp_path / "set")
    (root / link).rename(tmp_path / "private")
    (root / link).symlink_to(tmp_path / "private")
    with pytest.raises(ConfigError, match="not a file below"):
        open_set(f"{root}@train")


@pytest.mark.parametrize("link", ["JPEGImages/0.png", "Annotations/0.xml"])
def test_links_out_of_a_voc_set_are_not_followed(tmp_path: Path, link: str) -> None:
    root = kit.write_voc(tmp_path / "set")
    (root / link).rename(tmp_path / "private")
    (root / link).symlink_to(tmp_path / "private")
    assert is_outside(root)
    with pytest.raises(ConfigError, match="not a file below"):
        open_set(f"{root}@train")


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        ("yolo", "images"),
        ("yolo", "labels"),
        ("yolo", "classes.txt"),
        ("voc", "JPEGImages"),
        ("voc", "Annotations"),
        ("voc", "ImageSets/Main/train.txt"),
        ("label_pngs", "images"),
        ("label_pngs", "masks"),
        ("folders", "disc"),
    ],
)
def test_folders_and_lists_that_lead_out_of_the_set_are_not_read(
    tmp_path: Path, kind: str, link: str
) -> None:
    root = getattr(kit, f"write_{kind}")(tmp_path / "set")
    if kind == "yolo":
        (root / "data.yaml").unlink()
        kit.write_text(root / "classes.txt", "disc\nslab\n")
    (root / link).rename(tmp_path / "private")
    (root / link).symlink_to(tmp_path / "private")
    split = "@train" if kind in ("yolo", "voc") else ""
    with pytest.raises(ConfigError, match="not a file below"):
        open_set(f"{root}{split}", kind)


def test_labels_are_sought_below_the_set_only() -> None:
    root = Path("/data/images/parts")
    assert label_file_of(root, root / "train" / "1.jpg") == root / "train" / "1.txt"
    assert label_file_of(root, root / "images" / "1.jpg") == root / "labels" / "1.txt"


@pytest.mark.parametrize("name", ["../0", "/etc/passwd", "a/b"])
def test_voc_names_are_names(tmp_path: Path, name: str) -> None:
    root = kit.write_voc(tmp_path)
    kit.write_text(root / "ImageSets" / "Main" / "train.txt", name)
    with pytest.raises(ConfigError, match="not below the set"):
        open_set(f"{root}@train")


BOMB = (
    '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]>'
    "<annotation><object><name>&y;</name></object></annotation>"
)
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>'


@pytest.mark.parametrize("text", [BOMB, EXTERNAL, '<!DOCTYPE a SYSTEM "http://x/y.dtd"><a/>'])
def test_documents_with_entities_are_refused(text: str) -> None:
    with pytest.raises(ForeignFileError, match="document type"):
        parse_xml(text, what="0.xml")


@pytest.mark.parametrize(
    "text", ["", "<a>", "<a></b>", "<a/><b/>", "&x;", "\0", "<a>&lol;</a>", "\ud800", "<a" * 99]
)
def test_input_that_is_not_xml_is_named(text: str) -> None:
    with pytest.raises(ForeignFileError, match=r"0\.xml: expected XML"):
        parse_xml(text, what="0.xml")


def test_deep_documents_are_refused() -> None:
    with pytest.raises(ForeignFileError, match="nested deeper"):
        parse_xml("<a>" * 10**5, what="0.xml")


@given(st.text(max_size=200))
def test_any_text_is_xml_or_named(text: str) -> None:
    with suppress(ForeignFileError, ConfigError):
        parse_labels(parse_xml(text, what="0.xml"))


NUMBERS = st.one_of(
    st.floats().map(str),
    st.integers().map(str),
    st.sampled_from(["", "1e999", "-inf", "0x10", "1" * 5000, "１２", "1_0", "nan(1)"]),
)


@given(st.lists(NUMBERS, max_size=12))
def test_any_yolo_line_is_a_bounded_box_or_named(fields: list[str]) -> None:
    try:
        box = parse_label(" ".join(fields), width_px=640, height_px=480)
    except ConfigError:
        return
    assert box.class_id >= 0
    assert np.isfinite(box.xyxy_px).all()
    assert np.abs(box.xyxy_px).max() <= 1.5 * MOST_BEYOND * 640


@given(st.integers(0, 99), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_yolo_boxes_come_back_as_they_were_written(class_id: int, parts: list[float]) -> None:
    line = " ".join(map(repr, [class_id, *parts]))
    box = parse_label(line, width_px=640, height_px=480)
    x, y, width, height = parts
    left, top, right, bottom = box.xyxy_px
    assert box.class_id == class_id
    assert (left + right) / 2 == pytest.approx(x * 640, abs=1e-6)
    assert (top + bottom) / 2 == pytest.approx(y * 480, abs=1e-6)
    assert right - left == pytest.approx(width * 640, abs=1e-6)
    assert bottom - top == pytest.approx(height * 480, abs=1e-6)


@given(st.lists(NUMBERS, min_size=4, max_size=4))
def test_any_voc_numbers_are_a_bounded_box_or_named(numbers: list[str]) -> None:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), numbers, strict=True)
    box = "".join(f"<{side}>{number}</{side}>" for side, number in sides)
    xml = f"<a><object><name>cup</name><bndbox>{box}</bndbox></object></a>"
    try:
        (found,) = parse_labels(parse_xml(xml, what="0.xml")).objects
    except ConfigError:
        return
    assert np.abs(found.xyxy_px).max() <= 1e6


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=10,
    )
)
def test_any_names_are_names_or_named(names: object) -> None:
    try:
        read = names_by_id(names, what="data.yaml")
    except ConfigError:
        return
    assert all(read)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_mask_or_named(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes
) -> None:
    file = tmp_path_factory.mktemp("mask") / "0.png"
    whole = kit.png_of(np.zeros((4, 4), np.uint8), bits=4, palette=True)
    file.write_bytes(whole[: max(0, 60 - len(tail))] + tail)
    with suppress(EncodingError):
        assert read_mask(file).ndim == 2


def test_too_many_boxes_are_refused(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path)
    kit.write_text(root / "labels" / "train" / "0.txt", "0 .5 .5 .1 .1\n" * 10_001)
    with pytest.raises(ConfigError, match="at most 10000"):
        open_set(f"{root}@train")
    many = kit.voc_xml(*["<object/>"] * 10_001)
    with pytest.raises(ConfigError, match="at most 10000"):
        parse_labels(parse_xml(many, what="0.xml"))
