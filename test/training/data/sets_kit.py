"""Small sets of discs and slabs, written the ways people write them."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

WIDTH_PX, HEIGHT_PX = 96, 64
NAMES = ("disc", "slab")
_COLORS = ((220, 60, 40), (40, 90, 220))


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """One picture: BGR, class ids of its pixels (0 background, 1 disc, 2 slab), its objects."""

    bgr: np.ndarray
    mask: np.ndarray
    boxes: list[tuple[int, tuple[int, int, int, int]]]


def drawn(number: int) -> Drawn:
    """A disc on the left and a slab on the right; every picture is another one."""
    rng = np.random.default_rng(number)
    bgr = np.full((HEIGHT_PX, WIDTH_PX, 3), rng.integers(90, 160), np.uint8)
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    x, y = int(rng.integers(20, 28)), int(rng.integers(20, 44))
    cv2.circle(mask, (x, y), 12, 1, -1)
    left, top = int(rng.integers(50, 60)), int(rng.integers(10, 40))
    cv2.rectangle(mask, (left, top), (left + 29, top + 15), 2, -1)
    for class_id, color in enumerate(_COLORS, start=1):
        bgr[mask == class_id] = color
    return Drawn(
        bgr=bgr,
        mask=mask,
        boxes=[
            (0, (x - 12, y - 12, x + 13, y + 13)),
            (1, (left, top, left + 30, top + 16)),
        ],
    )


def write_image(file: Path, bgr: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), bgr)
    return file


def yolo_line(class_id: int, box: tuple[int, int, int, int]) -> str:
    left, top, right, bottom = box
    numbers = (
        (left + right) / 2 / WIDTH_PX,
        (top + bottom) / 2 / HEIGHT_PX,
        (right - left) / WIDTH_PX,
        (bottom - top) / HEIGHT_PX,
    )
    return f"{class_id} " + " ".join(f"{n:.6f}" for n in numbers)


def write_yolo(root: Path, *, train: int = 4, val: int = 2) -> Path:
    for split, numbers in (("train", range(train)), ("val", range(100, 100 + val))):
        for number in numbers:
            picture = drawn(number)
            write_image(root / "images" / split / f"{number}.png", picture.bgr)
            lines = "\n".join(yolo_line(*box) for box in picture.boxes)
            write_text(root / "labels" / split / f"{number}.txt", lines)
    content = {"path": "/somewhere/else", "train": "images/train", "val": "images/val"}
    write_text(root / "data.yaml", yaml.safe_dump(content | {"names": dict(enumerate(NAMES))}))
    return root


def write_text(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def voc_object(name: str, box: tuple[float, float, float, float], *, difficult: int = 0) -> str:
    left, top, right, bottom = box
    return (
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>"
        f"<xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
        "</bndbox></object>"
    )


def voc_xml(*objects: str, width_px: int = WIDTH_PX) -> str:
    size = f"<size><width>{width_px}</width><height>{HEIGHT_PX}</height><depth>3</depth></size>"
    return f"<annotation>{size}{''.join(objects)}</annotation>"


def write_voc(root: Path, *, train: int = 4, val: int = 2) -> Path:
    for split, numbers in (("train", range(train)), ("val", range(100, 100 + val))):
        for number in numbers:
            picture = drawn(number)
            write_image(root / "JPEGImages" / f"{number}.png", picture.bgr)
            objects = [voc_object(NAMES[class_id], box) for class_id, box in picture.boxes]
            write_text(root / "Annotations" / f"{number}.xml", voc_xml(*objects))
        names = "\n".join(str(number) for number in numbers)
        write_text(root / "ImageSets" / "Main" / f"{split}.txt", names)
    return root


def write_folders(root: Path, *, each: int = 3) -> Path:
    for class_id, name in enumerate(NAMES):
        for number in range(each):
            picture = drawn(10 * class_id + number)
            write_image(root / name / f"{number}.png", picture.bgr)
    return root


def write_label_pngs(root: Path, *, images: int = 3, palette: bool = True) -> Path:
    for number in range(images):
        picture = drawn(number)
        write_image(root / "images" / f"{number}.png", picture.bgr)
        mask = picture.mask.copy()
        mask[:4] = 255
        file = root / "masks" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png_of(mask, bits=8, palette=palette))
    write_text(root / "classes.txt", "background\ndisc\nslab\n")
    return root


def png_of(mask: np.ndarray, *, bits: int, palette: bool) -> bytes:
    """A PNG of 1 to 8 bits a pixel whose values are `mask`: rows of a palette, or gray."""
    height, width = mask.shape
    levels = mask[..., None] >> np.arange(bits - 1, -1, -1) & 1
    packed = np.packbits(levels.astype(np.uint8).reshape(height, -1), axis=1)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    colors = bytes(range(256)) * 3
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 3 * palette, 0, 0, 0))]
    chunks += [(b"PLTE", colors[: 3 * 2**bits])] * palette
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
