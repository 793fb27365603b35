"""Classes of frames and pixels in the schema's types."""

from robot_vision.console.class_schema import (
    ClassificationView,
    FrameClass,
    PixelClass,
    SegmentationView,
)
from robot_vision.core.results.frame_classes import NONE_LABEL, shares_of, top_classes
from robot_vision.core.types import Classification, SemanticMap
from robot_vision.viz.palette import color_of


def frame_classes(found: Classification) -> list[FrameClass]:
    """The most likely classes of a frame."""
    return [
        FrameClass.model_validate({"class": name, "probability": round(probability, 6)})
        for name, probability in top_classes(found)
    ]


def classification_view(found: Classification | ClassificationView) -> ClassificationView:
    """A classification, of this process or from a topic, for the console's API."""
    if isinstance(found, ClassificationView):
        return found
    classes = frame_classes(found)
    return ClassificationView(stamp_ns=found.stamp_ns, model=found.model_id, classes=classes)


def pixel_classes(found: SemanticMap) -> list[PixelClass]:
    """The classes that are in a frame, by falling share."""
    return [
        PixelClass.model_validate(
            {"label": label, "class": name, "share": round(share, 6), "color": _color(label)}
        )
        for label, name, share in shares_of(found)
    ]


def segmentation_view(found: SemanticMap) -> SegmentationView:
    """The classes of a frame's pixels, with their shares."""
    classes = pixel_classes(found)
    return SegmentationView(stamp_ns=found.stamp_ns, model=found.model_id, classes=classes)


def _color(label: int) -> str | None:
    if label == NONE_LABEL:
        return None
    return "#{:02x}{:02x}{:02x}".format(*color_of(label - 1))
