"""Label maps: the class of each pixel, the background first."""

from pathlib import Path

import numpy as np
import torch

from robot_vision.training.data.labels.label_maps import (
    annotated_label_map,
    ignore_boxes,
    label_map,
)
from robot_vision.training.data.labels.labelled import IGNORED
from robot_vision.training.data.opening.open_set import load_detection_set


def test_objects_of_a_batch_become_classes_and_what_is_hardly_shown_is_ignored() -> None:
    instances = torch.tensor([[[0, 1], [2, 3]], [[0, 0], [1, 2]]], dtype=torch.uint8)
    class_id = torch.tensor([[4, 0, -1], [7, 7, -1]])
    found = label_map(instances, class_id)
    assert found.tolist() == [[[0, 5], [1, IGNORED]], [[0, 0], [8, 8]]]


def test_an_image_has_the_classes_of_its_objects(shapes_set: Path) -> None:
    image = load_detection_set(shapes_set).images[0]
    labels = annotated_label_map(image)
    assert labels.shape == (image.height_px, image.width_px)
    for (x0, y0, x1, y1), class_id in zip(image.box_xyxy_px, image.class_id, strict=True):
        assert labels[round((y0 + y1) / 2), round((x0 + x1) / 2)] == class_id + 1
    assert set(np.unique(labels)) == {0, *(image.class_id + 1)}


def test_only_the_background_in_a_box_is_ignored() -> None:
    labels = np.zeros((6, 8), np.uint8)
    labels[2, 3] = 2
    ignore_boxes(labels, np.array([[2, 1, 5, 4], [-3, -3, 1, 1]], np.float32))
    assert labels[2, 3] == 2
    assert labels[1, 2] == labels[3, 4] == labels[0, 0] == IGNORED
    assert (labels == IGNORED).sum() == 9
