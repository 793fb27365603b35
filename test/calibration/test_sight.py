"""A board in pictures: where its corners are found, and what is refused."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robot_vision.bench.calibrating.rendered_board import BoardRenderer
from robot_vision.calibration.boards.board import Board
from robot_vision.calibration.boards.board_file import read_board, write_board
from robot_vision.calibration.boards.board_picture import printed_board, write_png
from robot_vision.calibration.boards.sight import BoardFinder, BoardSighting, check_sight
from robot_vision.core.cameras.geometry import project, transform_points
from robot_vision.core.errors import CalibrationError, ConfigError
from robot_vision.core.parameters.groups.calibration_config import BoardConfig, BoardSightConfig
from robot_vision.core.types import Camera

CHARUCO = BoardConfig()
APRIL = BoardConfig(
    kind="april", columns=4, rows=3, square_m=0.05, marker_m=0.038, dictionary="APRILTAG_36h11"
)
CHESSBOARD = BoardConfig(kind="chessboard", columns=7, rows=6)
CAMERA = Camera(
    frame_id="camera",
    width_px=640,
    height_px=480,
    intrinsics_px=np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]),
    distortion=np.array([-0.08, 0.02, 0.001, -0.001, 0.0]),
)


def posed(board: Board, turn_deg: tuple[float, float, float]) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(np.radians(turn_deg)).as_matrix()
    pose[:3, 3] = np.array([0, 0, 0.4]) - pose[:3, :3] @ board.middle_m
    return pose


def rendered(config: BoardConfig, turn_deg: tuple[float, float, float] = (20, -15, 10)):
    board = Board(config)
    pose = posed(board, turn_deg)
    picture = BoardRenderer(board, CAMERA).picture(pose, np.random.default_rng(0))
    return board, pose, picture


@pytest.mark.parametrize("config", [CHARUCO, APRIL, CHESSBOARD], ids=lambda config: config.kind)
def test_corners_are_found_where_the_camera_sees_them(config: BoardConfig) -> None:
    board, pose, picture = rendered(config)
    sight = BoardFinder(board).find(picture)
    assert len(sight.ids) == len(board.points_m)
    # Nobody sees which end of a plain chessboard is up.
    first_px = project(transform_points(pose, sight.points_m[:1]), camera=CAMERA)
    is_turned = np.linalg.norm(first_px - sight.pixel_px[0]) > np.linalg.norm(
        first_px - sight.pixel_px[-1]
    )
    assert not is_turned or not board.has_ends
    points_m = sight.points_m[::-1] if is_turned else sight.points_m
    seen_px = project(transform_points(pose, points_m), camera=CAMERA)
    miss_px = np.linalg.norm(seen_px - sight.pixel_px, axis=1)
    # The outer corners of tags are no saddle points: blur rounds them.
    most_px = 0.55 if config.kind == "april" else 0.15
    assert np.median(miss_px) < most_px
    assert miss_px.max() < 0.8


def test_a_mirrored_picture_is_named() -> None:
    board, _, picture = rendered(CHARUCO)
    with pytest.raises(CalibrationError, match="the picture is mirrored: 0 corners as it is, 24"):
        BoardFinder(board).find(np.ascontiguousarray(picture[:, ::-1]))


def test_corners_that_run_the_other_way_round_are_refused() -> None:
    board, _, picture = rendered(CHARUCO)
    sight = BoardFinder(board).find(picture)
    flipped = replace(sight, points_m=sight.points_m * [-1, 1, 1])
    with pytest.raises(CalibrationError, match="in the opposite direction"):
        check_sight(flipped, BoardSightConfig())


@pytest.mark.parametrize(
    "other",
    [{"columns": 6}, {"columns": 8}, {"columns": 5, "rows": 7}, {"legacy": True, "rows": 6}],
    ids=str,
)
def test_a_board_of_other_rows_and_columns_is_refused(other: dict) -> None:
    said = Board(CHARUCO.model_copy(update=other))
    _, _, picture = rendered(CHARUCO.model_copy(update={"rows": other.get("rows", 5)}))
    if other == {"columns": 5, "rows": 7}:
        _, _, picture = rendered(CHARUCO)
    with pytest.raises(CalibrationError, match=r"corners (of the board|miss a flat board)"):
        BoardFinder(said).find(picture)


def test_an_empty_picture_says_what_was_expected() -> None:
    with pytest.raises(CalibrationError, match=r"0 corners .* expected 8 at least"):
        BoardFinder(Board(CHARUCO)).find(np.full((480, 640, 3), 127, np.uint8))


@given(share=st.floats(0.001, 0.03))
@settings(max_examples=10)
def test_a_board_seen_along_its_plane_is_refused(share: float) -> None:
    board = Board(CHARUCO)
    pixel_px = board.points_m[:, :2] * [2000, 2000 * share] + 100
    ids = np.arange(len(board.points_m))
    sight = BoardSighting(
        ids=ids, points_m=board.points_m, pixel_px=pixel_px, image_size_px=(640, 480)
    )
    with pytest.raises(CalibrationError, match=r"spread over .* px across; expected 20 px"):
        check_sight(sight, BoardSightConfig())


@given(
    columns=st.integers(4, 10),
    rows=st.integers(4, 8),
    square_mm=st.integers(10, 60),
    dpi=st.integers(100, 400),
)
@example(columns=4, rows=5, square_mm=10, dpi=208)  # OpenCV fails to round its squares
@settings(max_examples=20)
def test_a_printed_board_has_its_size(columns: int, rows: int, square_mm: int, dpi: int) -> None:
    square_m = square_mm / 1000
    config = BoardConfig(columns=columns, rows=rows, square_m=square_m, marker_m=0.7 * square_m)
    board = Board(config)
    if round(square_m * dpi / 0.0254) < 24:
        with pytest.raises(ConfigError, match="expected at least 24 px a square"):
            printed_board(board, dpi=dpi, margin_m=0.01)
        return
    sheet, px_per_m = printed_board(board, dpi=dpi, margin_m=0.01)
    assert px_per_m == pytest.approx(dpi / 0.0254, rel=0.03)
    dark = np.argwhere(sheet[: sheet.shape[0] - round(0.01 * px_per_m)] == 0)
    wide, high = (dark.max(axis=0) - dark.min(axis=0) + 1)[::-1] / px_per_m
    # A white corner square may end a row or column.
    assert wide == pytest.approx(columns * square_m, abs=1.5 / px_per_m)
    assert high == pytest.approx(rows * square_m, abs=1.5 / px_per_m)


def test_a_png_says_its_size_in_metres(tmp_path: Path) -> None:
    sheet, px_per_m = printed_board(Board(CHARUCO), dpi=300, margin_m=0.012)
    write_png(tmp_path / "board.png", sheet, px_per_m=px_per_m)
    content = (tmp_path / "board.png").read_bytes()
    place = content.index(b"pHYs") + 4
    assert int.from_bytes(content[place : place + 4], "big") == round(px_per_m) == 11800
    assert content[place + 8] == 1
    read = cv2.imread(str(tmp_path / "board.png"), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(read, sheet)
    assert len(BoardFinder(Board(CHARUCO)).find(read).ids) == 24


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: charuco\nsquare_m: 30\n", "square_m"),
        ("square_m: 0.02\nmarker_m: 0.03\n", "smaller than its square"),
        ("squares: 3\n", "unknown parameter 'squares'"),
        ("kind: chessboard\ncolumns: 3\n", "expected at least 4×4"),
        ("columns: 30\nrows: 30\n", "needs 450 markers; 5X5_100 has 100"),
        ("- 1\n", "has no fields"),
        ("kind: [", "expected YAML"),
    ],
)
def test_a_boards_file_is_refused_with_its_fault(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "board.yaml"
    file.write_text(text)
    with pytest.raises((ConfigError, ValueError), match=r"board.yaml") as error:
        read_board(file)
    assert words in str(error.value)


@pytest.mark.parametrize("config", [CHARUCO, APRIL, CHESSBOARD], ids=lambda config: config.kind)
def test_a_boards_file_comes_back(tmp_path: Path, config: BoardConfig) -> None:
    write_board(tmp_path / "board.yaml", config)
    assert read_board(tmp_path / "board.yaml").config == config
