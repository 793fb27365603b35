"""Hand-eye calibration: how near the truth it comes, and what it refuses."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robot_vision.bench.calibrating.calibration_setups import (
    Disturbance,
    Setup,
    draw_setup,
    place_and_turn_errors,
)
from robot_vision.calibration.fitting.hand_eye import HandEye, Mount
from robot_vision.calibration.verdict import calibrate_hand_eye
from robot_vision.calibration.views import View
from robot_vision.core.errors import CalibrationError
from robot_vision.core.parameters.groups.calibration_config import HandEyeConfig


def calibrated(setup: Setup, views: Sequence[View] | None = None, **config: float) -> HandEye:
    return calibrate_hand_eye(
        setup.views if views is None else views,
        camera=setup.camera,
        mount=setup.mount,
        config=HandEyeConfig(**config),
    )


def with_poses(setup: Setup, change: Callable[[np.ndarray], np.ndarray]) -> list[View]:
    return [replace(v, base_from_tool=change(v.base_from_tool.copy())) for v in setup.views]


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), mount=st.sampled_from(["tool", "base"]))
def test_noise_of_a_third_of_a_pixel_leaves_a_millimetre_and_a_half(
    seed: int, mount: Mount
) -> None:
    setup = draw_setup(seed, mount=mount)
    fit = calibrated(setup)
    place_m, turn_deg = place_and_turn_errors(fit.carrier_from_camera, setup.carrier_from_camera)
    assert place_m < 0.0015
    assert turn_deg < 0.2


@settings(max_examples=4)
@given(seed=st.integers(0, 2**31), mount=st.sampled_from(["tool", "base"]))
def test_without_noise_it_is_exact_and_sure(seed: int, mount: Mount) -> None:
    setup = draw_setup(seed, mount=mount, disturbance=Disturbance(corner_px=0.0))
    fit = calibrated(setup)
    np.testing.assert_allclose(fit.carrier_from_camera, setup.carrier_from_camera, atol=1e-6)
    assert fit.place_error_m < 1e-6
    assert fit.board_scale == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("mount", ["tool", "base"])
@pytest.mark.parametrize("seed", range(2))
def test_bad_views_are_dropped_by_name(seed: int, mount: Mount) -> None:
    setup = draw_setup(seed, mount=mount, disturbance=Disturbance(bad_views=4))
    fit = calibrated(setup)
    dropped = {view.name for view in fit.views if not view.is_kept}
    assert dropped == {"00.png", "01.png", "02.png", "03.png"}
    place_m, turn_deg = place_and_turn_errors(fit.carrier_from_camera, setup.carrier_from_camera)
    assert place_m < 0.0015
    assert turn_deg < 0.2
    assert all(view.place_m > 0.01 for view in fit.views if not view.is_kept)


def test_the_standard_errors_are_those_that_repeated_calibrations_show() -> None:
    """Noise of corners and arm, drawn anew; the errors in units of the standard error."""
    shares = []
    for seed in range(16):
        disturbance = Disturbance(arm_m=0.0003, arm_deg=0.03)
        setup = draw_setup(seed, disturbance=disturbance)
        fit = calibrated(setup)
        place_m, turn_deg = place_and_turn_errors(
            fit.carrier_from_camera, setup.carrier_from_camera
        )
        shares.append((place_m / fit.place_error_m, turn_deg / fit.turn_error_deg))
    root_mean = np.sqrt((np.array(shares) ** 2).mean(axis=0))
    assert (root_mean > 0.5).all()
    assert (root_mean < 1.4).all()


def test_few_views_are_refused() -> None:
    setup = draw_setup(0)
    with pytest.raises(CalibrationError, match="7 views show the board; expected 8"):
        calibrated(setup, setup.views[:7])
    with pytest.raises(CalibrationError, match="0 views show the board"):
        calibrated(setup, [])


def test_the_same_pose_again_is_not_a_new_view() -> None:
    setup = draw_setup(0)
    again = [setup.views[i % 5] for i in range(15)]
    with pytest.raises(CalibrationError, match="5 of 15 views differ"):
        calibrated(setup, again)


def turned_about(axes: np.ndarray, seed: int) -> list[View]:
    """Views of an arm whose tool turns about these axes only."""
    rng = np.random.default_rng(seed)
    setup = draw_setup(seed, disturbance=Disturbance(corner_px=0.0))
    first = setup.views[0]
    views = []
    for number in range(12):
        turn = Rotation.from_rotvec(np.radians(rng.uniform(-30, 30, len(axes))) @ axes)
        pose = first.base_from_tool.copy()
        pose[:3, :3] = pose[:3, :3] @ turn.as_matrix()
        pose[:3, 3] += rng.uniform(-0.1, 0.1, 3)
        sight = setup.views[number].sight
        views.append(View(name=f"{number}", base_from_tool=pose, sight=sight))
    return views


@given(axis=st.sampled_from(list(np.eye(3))), seed=st.integers(0, 5))
@settings(max_examples=4)
def test_one_axis_of_rotation_is_refused_by_name(axis: np.ndarray, seed: int) -> None:
    words = ", ".join(f"{part:.2f}" for part in axis)
    with pytest.raises(CalibrationError, match="about a single axis") as error:
        calibrated(draw_setup(seed), turned_about(axis[None], seed))
    assert words in str(error.value).replace("-0.00", "0.00")
    assert "expected 10°" in str(error.value)


def test_two_axes_are_enough_to_be_looked_at() -> None:
    with pytest.raises(CalibrationError) as error:  # the pictures are not of these poses
        calibrated(draw_setup(1), turned_about(np.eye(3)[:2], 1))
    assert "axis" not in str(error.value)


def test_too_little_rotation_is_refused() -> None:
    setup = draw_setup(3, turn_deg=3.0)
    with pytest.raises(CalibrationError, match=r"turned too little, by .* expected 10°"):
        calibrated(setup)


def test_millimetres_are_refused() -> None:
    def in_mm(pose: np.ndarray) -> np.ndarray:
        pose[:3, 3] *= 1000
        return pose

    setup = draw_setup(0)
    with pytest.raises(CalibrationError, match="expected at most 10 m: are these millimetres"):
        calibrated(setup, with_poses(setup, in_mm))


@pytest.mark.parametrize("mount", ["tool", "base"])
@pytest.mark.parametrize("seed", range(2))
def test_inverted_poses_are_refused_and_named(seed: int, mount: Mount) -> None:
    setup = draw_setup(seed, mount=mount)
    with pytest.raises(CalibrationError, match="tool_from_base where base_from_tool") as error:
        calibrated(setup, with_poses(setup, np.linalg.inv))
    assert f"--mount {'base' if mount == 'tool' else 'tool'}" in str(error.value)


def test_quaternions_in_another_order_are_named() -> None:
    setup = draw_setup(1)

    def as_wxyz(pose: np.ndarray) -> np.ndarray:
        x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
        pose[:3, :3] = Rotation.from_quat([w, x, y, z]).as_matrix()
        return pose

    with pytest.raises(CalibrationError, match="quaternions read as w x y z"):
        calibrated(setup, with_poses(setup, as_wxyz))


def test_turns_of_the_other_direction_are_named() -> None:
    def transposed(pose: np.ndarray) -> np.ndarray:
        pose[:3, :3] = pose[:3, :3].T
        return pose

    setup = draw_setup(2)
    with pytest.raises(CalibrationError, match="each rotation inverted"):
        calibrated(setup, with_poses(setup, transposed))


@pytest.mark.parametrize(("shift", "words"), [(1, "of the one before"), (-1, "of the next one")])
def test_poses_of_the_neighbouring_picture_are_named(shift: int, words: str) -> None:
    setup = draw_setup(4)
    poses = np.roll([view.base_from_tool for view in setup.views], -shift, axis=0)
    views = [replace(v, base_from_tool=p) for v, p in zip(setup.views, poses, strict=True)]
    with pytest.raises(CalibrationError, match=words):
        calibrated(setup, views)


@pytest.mark.parametrize("scale", [0.97, 1.02, 10.0, 0.1])
def test_a_board_of_another_size_is_refused(scale: float) -> None:
    setup = draw_setup(5)
    views = [
        replace(v, sight=replace(v.sight, points_m=v.sight.points_m * scale)) for v in setup.views
    ]
    with pytest.raises(CalibrationError) as refused:
        calibrated(setup, views)
    found = re.search(r"the board is ([\d.]+) ±", str(refused.value))
    assert found is not None
    assert float(found[1]) == pytest.approx(1 / scale, rel=0.001)


def test_a_board_that_moved_half_way_is_refused() -> None:
    first, second = draw_setup(6), draw_setup(6, disturbance=Disturbance(corner_px=0.2))
    moved = np.eye(4)
    moved[:3, 3] = [0.02, 0.01, 0]
    views = [
        v if i % 2 else replace(v, base_from_tool=moved @ w.base_from_tool)
        for i, (v, w) in enumerate(zip(first.views, second.views, strict=True))
    ]
    with pytest.raises(CalibrationError, match=r"did board or camera move|do not fit the others"):
        calibrated(first, views)


def test_a_picture_that_stood_still_while_the_arm_moved_is_refused() -> None:
    setup = draw_setup(7)
    views = [*setup.views[:-1], replace(setup.views[-1], sight=setup.views[0].sight)]
    with pytest.raises(CalibrationError, match="show the same picture"):
        calibrated(setup, views)


@pytest.mark.parametrize("fault", ["nan", "left-handed", "stretched"])
def test_poses_that_are_none_are_refused(fault: str) -> None:
    setup = draw_setup(8)
    pose = setup.views[3].base_from_tool.copy()
    if fault == "nan":
        pose[0, 3] = np.nan
    elif fault == "left-handed":
        pose[:3, 0] *= -1
    else:
        pose[:3, :3] *= 1.2
    views = list(setup.views)
    views[3] = replace(views[3], base_from_tool=pose)
    with pytest.raises(CalibrationError, match=f"'{views[3].name}'.*is not a rigid transform"):
        calibrated(setup, views)


def test_an_arm_that_is_too_inaccurate_is_refused() -> None:
    setup = draw_setup(9, disturbance=Disturbance(arm_m=0.01, arm_deg=1.0))
    with pytest.raises(CalibrationError, match=r"leaves .* px RMS; expected below 3 px"):
        calibrated(setup)


def test_an_uncertain_place_is_refused() -> None:
    setup = draw_setup(9, disturbance=Disturbance(arm_m=0.004, arm_deg=0.4))
    with pytest.raises(CalibrationError, match=r"uncertain by .* mm and .*°"):
        calibrated(setup, most_residual_px=100.0, outlier_px=100.0, most_scale_error=0.2)
