"""A held-out set for measuring a multi-task model in each of its tasks."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, UInt8

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import OutputReading
from robot_vision.models.multitask.multi_task import TaskName
from robot_vision.training.data.held_out.boxes import BoxesHeldOut
from robot_vision.training.data.labels.label_maps import BACKGROUND, ignore_boxes, label_map
from robot_vision.training.data.samples.samples import Sample
from robot_vision.training.engine.task import Predictor
from robot_vision.training.metrics.bootstrap import bounds, nanmean
from robot_vision.training.metrics.boxes import box_figures
from robot_vision.training.metrics.matches import resampled_precision
from robot_vision.training.metrics.presence import presence_figures, resampled_presence
from robot_vision.training.metrics.segmentation import SegmentationCounts, at_cells
from robot_vision.training.metrics.selected import FoundBoxes

HEADLINES: dict[TaskName, str] = {
    "classification": "presence_map",
    "detection": "AP50",
    "segmentation": "miou",
}
MEAN = "tasks_mean"


class MultiTaskHeldOut(BoxesHeldOut):
    """Frames of a set, and the answers of a model of `tasks`."""

    def __init__(self, *, tasks: tuple[TaskName, ...], **values: Any) -> None:
        super().__init__(**values)
        self._tasks = tasks

    def figures(
        self, predict: Predictor, *, images: int = 0, intervals: bool = False
    ) -> dict[str, float]:
        """Figures of each task on the first `images` (0: all); `tasks_mean` of their headlines."""
        judges = _Judges(self._classes)
        for sample in self._samples(images):
            outputs = predict({"rgb": sample.rgb[None]})
            if "detection" in self._tasks:
                judges.boxes.append(self._select.boxes(sample, outputs))
            if "segmentation" in self._tasks:
                judges.add_semantic(sample, outputs["semantic"][0])
            if "classification" in self._tasks:
                judges.add_presence(sample, outputs["class_probabilities"][0])
        figures = judges.figures(self._tasks)
        headlines = [HEADLINES[task] for task in self._tasks]
        figures[MEAN] = float(np.nanmean([figures[name] for name in headlines]))
        if intervals:
            resampled = judges.resampled(self._tasks)
            resampled[MEAN] = nanmean(np.stack([resampled[name] for name in headlines]))
            figures |= bounds(resampled)
        return figures

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        """The bundle of a detector with its other heads, or of segmentation alone.

        Raises `ConfigError` for outputs that no format of the service reads.
        """
        if "detection" in self._tasks:
            return super().write(folder, manifest_values)
        if self._tasks != ("segmentation",):
            raise ConfigError(
                f"options.tasks = {list(self._tasks)}: several classes per picture are served "
                "only beside boxes; add detection, or train the task classification"
            )
        return self._write(
            folder,
            manifest_values,
            format="semantic",
            outputs={"output": "semantic"},
            reading=OutputReading(scores="probabilities", background="first"),
        )


class _Judges:
    """Counts gathered picture by picture."""

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self._names = class_names
        self.boxes = list[FoundBoxes]()
        self._semantic = SegmentationCounts((BACKGROUND, *class_names))
        self._probability = list[Float32[np.ndarray, " c"]]()
        self._present = list[Bool[np.ndarray, " c"]]()

    def add_semantic(self, sample: Sample, scores: Float32[np.ndarray, "c h w"]) -> None:
        rows, columns = scores.shape[1:]
        truth = at_cells(true_labels(sample), rows=rows, columns=columns)
        self._semantic.add(scores.argmax(axis=0).astype(np.uint8), truth)

    def add_presence(self, sample: Sample, probability: Float32[np.ndarray, " c"]) -> None:
        self._probability.append(probability)
        self._present.append(np.isin(np.arange(len(self._names)), sample.class_id))

    def figures(self, tasks: tuple[TaskName, ...]) -> dict[str, float]:
        found: dict[str, float] = {}
        if "detection" in tasks:
            found |= box_figures(self.boxes, self._names)
        if "segmentation" in tasks:
            found |= self._semantic.summary()
        if "classification" in tasks:
            found |= presence_figures(np.stack(self._probability), np.stack(self._present))
        return found

    def resampled(self, tasks: tuple[TaskName, ...]) -> dict[str, Float64[np.ndarray, " rounds"]]:
        """The headlines, and AP, in each round of `bootstrap.draws`."""
        found: dict[str, Float64[np.ndarray, " rounds"]] = {}
        if "detection" in tasks:
            found |= resampled_precision(self.boxes, len(self._names))
        if "segmentation" in tasks:
            found |= self._semantic.resampled()
        if "classification" in tasks:
            found |= resampled_presence(np.stack(self._probability), np.stack(self._present))
        return found


def true_labels(sample: Sample) -> UInt8[np.ndarray, "h w"]:
    """The label map of a sample; hardly visible objects are ignored."""
    class_id = np.append(sample.class_id, -1)  # at least one: there may be no object
    instances = torch.from_numpy(np.ascontiguousarray(sample.instances))
    labels = label_map(instances[None], torch.from_numpy(class_id)[None])[0]
    found = labels.numpy().astype(np.uint8)
    ignore_boxes(found, sample.crowd_xyxy_px)
    return found
