"""Small files that stand for huge images are refused by their header, before pixels are made."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from child import run_child
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.codecs.bounded import decode_within, read_image
from robot_vision.codecs.compressed import decode_compressed, decode_compressed_depth
from robot_vision.codecs.header import image_size_px, is_video, read_header
from robot_vision.codecs.image import decode_image
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.limits_config import InputLimits

SIDE_PX = 12_000
SMALL = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_bomb(width_px: int = SIDE_PX, height_px: int = SIDE_PX, *, depth: bool = False) -> bytes:
    """A whole PNG of zeros: it decodes, if it is let."""
    bits, color, row_bytes = (16, 0, 2 * width_px) if depth else (8, 2, 3 * width_px)
    packer = zlib.compressobj(1)
    row = bytes(row_bytes + 1)
    pixels = b"".join(packer.compress(row) for _ in range(height_px)) + packer.flush()
    head = struct.pack(">IIBBBBB", width_px, height_px, bits, color, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg_of(width_px: int, height_px: int) -> bytes:
    """A JPEG whose header claims another size; libjpeg makes all its pixels, mostly grey."""
    data = bytearray(cv2.imencode(".jpg", SMALL)[1].tobytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height_px, width_px)
    return bytes(data)


def webp_of(width_px: int, height_px: int) -> bytes:
    data = bytearray(cv2.imencode(".webp", SMALL, [cv2.IMWRITE_WEBP_QUALITY, 80])[1].tobytes())
    at = data.index(b"\x9d\x01\x2a")
    data[at + 3 : at + 7] = struct.pack("<HH", width_px, height_px)
    return bytes(data)


def bmp_of(width_px: int, height_px: int) -> bytes:
    data = bytearray(cv2.imencode(".bmp", SMALL)[1].tobytes())
    data[18:26] = struct.pack("<ii", width_px, height_px)
    return bytes(data)


def many_scans(count: int, side_px: int) -> bytes:
    """A progressive JPEG whose last scan is repeated: each costs a pass over all pixels."""
    flat = np.zeros((side_px, side_px, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", flat, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * count + b"\xff\xd9"


@pytest.mark.parametrize("make", [png_bomb, jpeg_of, webp_of, bmp_of])
def test_an_image_of_a_huge_size_is_refused_in_every_format(
    make: Callable[[int, int], bytes],
) -> None:
    side_px = 16_000  # as large as WebP can be
    with pytest.raises(EncodingError, match=r"16000×16000 px; at most 20 megapixels.*image_mpx"):
        decode_within(make(side_px, side_px), cv2.IMREAD_COLOR)


def test_bombs_take_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_bomb())
    (tmp_path / "depth.png").write_bytes(png_bomb(depth=True))
    (tmp_path / "a.jpg").write_bytes(jpeg_of(SIDE_PX, SIDE_PX))
    assert (tmp_path / "a.png").stat().st_size < 4_000_000  # and .4 GB of pixels
    code = """
from pathlib import Path
from robot_vision.codecs.compressed import decode_compressed, decode_compressed_depth
from robot_vision.core.errors import EncodingError
before_mb = peak_mb()
png, depth, jpeg = (Path(arguments[0], n).read_bytes() for n in ("a.png", "depth.png", "a.jpg"))
for decode in (
    lambda: decode_compressed(png, format="png"),
    lambda: decode_compressed(jpeg, format="jpeg"),
    lambda: decode_compressed_depth(bytes(12) + depth, format="16UC1; compressedDepth png"),
):
    try:
        decode()
    except EncodingError as error:
        print(error)
"""
    done = run_child(code, tmp_path)
    assert len(done.lines) == 3
    assert all("12000×12000 px" in line for line in done.lines)
    assert done.grown_mb < 60


def test_a_jpeg_of_very_many_scans_is_refused_and_a_usual_one_is_not() -> None:
    limits = InputLimits(image_mpx=1.0)
    bomb = many_scans(200, 500)
    assert read_header(bomb).scans > 200
    with pytest.raises(EncodingError, match=r"500×500 px in 2\d\d scans"):
        decode_compressed(bomb, format="jpeg", limits=limits)
    assert decode_compressed(many_scans(0, 1000), format="jpeg", limits=limits).shape[0] == 1000


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP", b"tEXt", b"acTL", b"fdAT"])
def test_what_a_png_holds_beside_its_picture_is_not_unpacked(name: bytes) -> None:
    """Each of these unpacks to megabytes, which libpng keeps."""
    png = cv2.imencode(".png", SMALL[..., ::-1])[1].tobytes()
    bodies = {
        b"zTXt": b"k\0\0" + zlib.compress(bytes(7_000_000), 9),
        b"iTXt": b"k\0\1\0\0\0" + zlib.compress(bytes(7_000_000), 9),
        b"iCCP": b"k\0\0" + zlib.compress(bytes(7_000_000), 9),
    }
    extra = chunk(name, bodies.get(name, b"k\0" + bytes(30)))
    bomb = png[:33] + extra * 300 + png[33:]
    assert np.array_equal(decode_compressed(bomb, format="png"), SMALL)


def test_text_in_a_png_takes_no_memory(tmp_path: Path) -> None:
    png = cv2.imencode(".png", SMALL)[1].tobytes()
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(7_900_000), 9))
    (tmp_path / "a.png").write_bytes(png[:33] + text * 500 + png[33:])
    code = """
import cv2
from pathlib import Path
from robot_vision.codecs.bounded import read_image
before_mb = peak_mb()
print(read_image(Path(arguments[0]), cv2.IMREAD_COLOR).shape)
"""
    done = run_child(code, tmp_path / "a.png")
    assert done.lines == ["(40, 60, 3)"]
    assert done.grown_mb < 60


# One pixel; OpenCV writes GIF from 4.12 on.
GIF = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


@pytest.mark.parametrize("suffix", [".tiff", ".jp2", ".ppm", ".hdr", ".gif"])
def test_formats_that_no_camera_sends_are_refused(suffix: str) -> None:
    pixels = SMALL.astype(np.float32) if suffix == ".hdr" else SMALL
    data = GIF if suffix == ".gif" else cv2.imencode(suffix, pixels)[1].tobytes()
    with pytest.raises(EncodingError, match=r"expected one of JPEG, PNG, WebP, BMP"):
        decode_within(data, cv2.IMREAD_COLOR)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_sizes_are_those_that_the_decoder_finds(suffix: str) -> None:
    data = cv2.imencode(suffix, SMALL)[1].tobytes()
    assert image_size_px(data) == (60, 40)
    assert decode_within(data, cv2.IMREAD_COLOR).shape == SMALL.shape


def test_a_size_is_found_as_libjpeg_finds_it() -> None:
    """Fill bytes, stray bytes between segments and lengths of nothing do not hide the size."""
    jpeg = cv2.imencode(".jpg", SMALL)[1].tobytes()
    strange = jpeg[:2] + b"\xff\xfe\x00\x06\xff\xc0\x01\x02" + b"\x11\x22\xff\xff\xff" + jpeg[3:]
    assert image_size_px(strange) == (60, 40)


@given(
    st.binary(max_size=64), st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b""])
)
def test_any_bytes_give_a_size_or_an_encoding_error(tail: bytes, magic: bytes) -> None:
    try:
        image_size_px(magic + tail)
    except EncodingError:
        return


def test_long_sides_and_long_files_are_refused() -> None:
    limits = InputLimits(encoded_mb=0.001)
    with pytest.raises(EncodingError, match=r"sides from 1 to 32767 px"):
        decode_within(png_bomb(40_000, 1), cv2.IMREAD_COLOR)
    with pytest.raises(EncodingError, match=r"at most 1000 are decoded \(limits.encoded_mb\)"):
        decode_within(cv2.imencode(".png", SMALL)[1].tobytes(), cv2.IMREAD_COLOR, limits=limits)


def test_a_long_file_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(EncodingError, match=r"limits.encoded_mb"):
        read_image(tmp_path / "a.png", cv2.IMREAD_COLOR, limits=InputLimits(encoded_mb=1))


def test_raw_images_have_the_same_limit() -> None:
    with pytest.raises(EncodingError, match=r"at most 1e-05 megapixels"):
        decode_image(
            bytes(12),
            encoding="mono8",
            width_px=4,
            height_px=3,
            step=4,
            limits=InputLimits(image_mpx=1e-5),
        )
    with pytest.raises(EncodingError, match=r"sides from 1 to 32767"):
        decode_image(b"", encoding="rgb8", width_px=2**32 - 1, height_px=2**32 - 1, step=2**32 - 1)


def test_depth_of_a_huge_size_names_the_parameter() -> None:
    data = bytes(12) + png_bomb(6000, 6000, depth=True)
    with pytest.raises(EncodingError, match=r"6000×6000 px.*limits.image_mpx"):
        decode_compressed_depth(data, format="16UC1; compressedDepth png")


def test_playlists_are_not_videos() -> None:
    assert not is_video(b"#EXTM3U\n#EXT-X-VERSION:3")
    assert not is_video(b"ffconcat version 1.0")
    assert is_video(b"\0\0\0\x18ftypmp42")
