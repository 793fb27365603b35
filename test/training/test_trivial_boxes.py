"""The boxes that are commonest whatever a picture shows: what a detector must beat."""

import numpy as np

from robot_vision.training.metrics.trivial_boxes import TrivialBoxes


def test_the_commonest_place_of_a_class_comes_first_with_its_mean_box() -> None:
    cups = [np.array([[10.0 + k, 10, 30 + k, 40]], np.float32) for k in (0, 2, 4)]
    plate = np.array([[200.0, 100, 260, 140]], np.float32)
    pictures = [(box, np.array([1])) for box in cups] + [(plate, np.array([0]))]
    pictures.append((np.zeros((0, 4), np.float32), np.zeros(0, np.int64)))
    trivial = TrivialBoxes(pictures, width_px=300, height_px=200)
    np.testing.assert_allclose(trivial.box_xyxy_px, [[12, 10, 32, 40], [200, 100, 260, 140]])
    np.testing.assert_allclose(trivial.score, [3 / 5, 1 / 5], rtol=1e-6)
    assert trivial.class_id.tolist() == [1, 0]
