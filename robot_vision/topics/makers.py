"""Makers of each topic's message; they return None if a frame has nothing for it."""

from collections.abc import Hashable
from typing import Any

import cv2
import numpy as np

from robot_vision.core.results.frame_classes import (
    classification_json_of,
    label_image,
    segmentation_json_of,
)
from robot_vision.core.results.grounded import grounded_json_of, grounded_objects_of, grounded_part
from robot_vision.core.results.objects import json_of, keypoints_json_of
from robot_vision.topics.content.classes import new_classification
from robot_vision.topics.content.detections import new_detections, new_keypoints, new_objects
from robot_vision.topics.messages import new_header
from robot_vision.topics.topic import Makers, Result
from robot_vision.viz.overlay import draw_overlay

JPEG_QUALITY = 85


def features(makers: Makers, result: Result) -> Any | None:
    features = result.perception.features
    if features is None:
        return None
    grid = features.grid.transpose(1, 2, 0)
    return makers.image("features", result, grid, f"32FC{grid.shape[2]}")


def embedding(makers: Makers, result: Result) -> Any | None:
    features = result.perception.features
    if features is None:
        return None
    embedding = features.embedding.reshape(1, 1, -1)
    return makers.image("embedding", result, embedding, f"32FC{embedding.shape[2]}")


def depth(makers: Makers, result: Result) -> Any | None:
    depth = result.perception.depth
    return None if depth is None else makers.image("depth", result, depth.depth_m, "32FC1")


def depth_confidence(makers: Makers, result: Result) -> Any | None:
    depth = result.perception.depth
    if depth is None:
        return None
    return makers.image("depth/confidence", result, depth.confidence, "32FC1")


def depth_info(makers: Makers, result: Result) -> Any | None:
    perception = result.perception
    if perception.depth is None or perception.frame.camera is None:
        return None
    height_px, width_px = perception.depth.depth_m.shape
    return makers.info.write(
        perception.frame.camera,
        stamp_ns=perception.stamp_ns,
        width_px=width_px,
        height_px=height_px,
    )


def robot_mask(makers: Makers, result: Result) -> Any | None:
    mask = result.perception.robot_mask
    if mask is None:
        return None
    return makers.image("robot_mask", result, mask.astype(np.uint8) * 255, "mono8")


def points(makers: Makers, result: Result) -> Any | None:
    return makers.clouds.scene(result.perception)


def object_points(makers: Makers, result: Result) -> Any | None:
    return makers.clouds.objects(result.perception)


def detections(makers: Makers, result: Result) -> Any:
    return new_detections(makers.messages, result.perception)


def keypoints(makers: Makers, result: Result) -> Any | None:
    return new_keypoints(makers.messages, result.perception)


def keypoints_json(makers: Makers, result: Result) -> Any | None:
    if result.perception.detections.keypoint is None:
        return None
    return makers.text(keypoints_json_of(result.perception))


def classification(makers: Makers, result: Result) -> Any | None:
    found, frame_id = result.perception.classification, result.perception.frame.frame_id
    return found and new_classification(makers.messages, found, frame_id=frame_id)


def classification_json(makers: Makers, result: Result) -> Any | None:
    found, frame_id = result.perception.classification, result.perception.frame.frame_id
    return found and makers.text(classification_json_of(found, frame_id=frame_id))


def segmentation(makers: Makers, result: Result) -> Any | None:
    found = result.perception.segmentation
    if found is None:
        return None
    height_px, width_px = result.perception.frame.rgb.shape[:2]
    labels = label_image(found, width_px=width_px, height_px=height_px)
    return makers.image("segmentation", result, labels, f"mono{8 * labels.itemsize}")


def label_info(makers: Makers, result: Result) -> Any | None:
    found, frame_id = result.perception.segmentation, result.perception.frame.frame_id
    return found and makers.labels.write(found, frame_id=frame_id)


def segmentation_json(makers: Makers, result: Result) -> Any | None:
    found, frame_id = result.perception.segmentation, result.perception.frame.frame_id
    return found and makers.text(segmentation_json_of(found, frame_id=frame_id))


def labels_are_of(result: Result) -> Hashable:
    """The classes of a label image; None where a frame has none."""
    found = result.perception.segmentation
    return None if found is None else found.class_names


def grounded(makers: Makers, result: Result) -> Any | None:
    part = grounded_part(result.perception)
    return part and new_detections(makers.messages, part)


def grounded_json(makers: Makers, result: Result) -> Any | None:
    part = grounded_part(result.perception)
    if part is None:
        return None
    objects = grounded_objects_of(part, frame_id=result.objects.frame_id)
    text = grounded_json_of(objects, part, age_s=result.age_s(), stage_s=result.stage_s)
    return makers.text(text)


def objects(makers: Makers, result: Result) -> Any:
    return new_objects(makers.messages, result.objects)


def markers(makers: Makers, result: Result) -> Any:
    return makers.markers.write(result.objects)


def overlay(makers: Makers, result: Result) -> Any:
    overlay = draw_overlay(result.perception, age_s=result.age_s())
    return makers.image("rgb", result, overlay, "rgb8")


def overlay_jpeg(makers: Makers, result: Result) -> Any:
    # Without the age: in a file it would depend on the speed of the replaying machine.
    bgr = cv2.cvtColor(draw_overlay(result.perception), cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    message = makers.messages.new("sensor_msgs/msg/CompressedImage")
    perception = result.perception
    message.header = new_header(makers.messages, perception.stamp_ns, perception.frame.frame_id)
    message.format, message.data = "jpeg", jpeg.reshape(-1)
    return message


def json(makers: Makers, result: Result) -> Any:
    return makers.text(
        json_of(result.objects, result.perception, age_s=result.age_s(), stage_s=result.stage_s)
    )
