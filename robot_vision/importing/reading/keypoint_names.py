"""Names for the keypoints of a model: the user's, the file's, COCO's 17, or numbers."""

from collections.abc import Mapping

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.results.keypoints import COCO_KEYPOINTS, numbered_names
from robot_vision.formats.registry import FORMATS
from robot_vision.importing.reading.file_facts import FileFacts
from robot_vision.importing.reading.wanted import Wanted


def names_before(format: str, wanted: Wanted, facts: FileFacts) -> tuple[str, ...]:
    """Names known before the model runs; none if only its outputs show how many there are.

    Raises `BundleError` if the user names a different number than the file states.
    """
    detection = FORMATS.get(format).detection
    if detection is None or detection.keypoints is None:
        return ()
    if detection.keypoint_names:
        return wanted.keypoints
    named, count = wanted.keypoints or facts.keypoints, facts.keypoint_count
    if wanted.keypoints and count and len(wanted.keypoints) != count:
        raise BundleError(
            f"{wanted.file}: its metadata says {count} keypoints (kpt_shape), but "
            f"{len(wanted.keypoints)} names are given (--keypoint-names)"
        )
    if named and count in (0, len(named)):
        return named
    return default_names(count) if count else ()


def with_names(manifest: ModelManifest, outputs: Mapping[str, np.ndarray]) -> ModelManifest:
    """`manifest` with a name for each keypoint in its outputs, if it names none."""
    detection = FORMATS.get(manifest.format).detection
    if detection is None or detection.keypoints is None:
        return manifest
    if manifest.keypoints or detection.keypoint_names:
        return manifest
    found = detection.keypoints(outputs, manifest, row=np.zeros(0, np.int64))
    names = () if found is None else default_names(found.shape[1])
    return manifest.model_copy(update={"keypoints": names})


def default_names(count: int) -> tuple[str, ...]:
    """COCO's names for 17 keypoints, else numbers."""
    return COCO_KEYPOINTS if count == len(COCO_KEYPOINTS) else numbered_names(count)


def words_on_names(manifest: ModelManifest, wanted: Wanted, facts: FileFacts) -> tuple[str, ...]:
    """The note about names that nobody gave."""
    named = manifest.keypoints
    if not named or named in (wanted.keypoints, facts.keypoints):
        return ()
    whose = "taken as those of COCO's people" if named == COCO_KEYPOINTS else "numbered"
    return (f"its {len(named)} keypoints have no names: {whose} (--keypoint-names if not)",)
