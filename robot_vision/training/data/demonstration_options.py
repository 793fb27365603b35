"""Which demonstrations a policy learns from, what it is shown of them, and how it is changed."""

from typing import Any, Literal

from robot_vision.core.observation_spec import ObservationSpec
from robot_vision.core.params import Params, param
from robot_vision.training.data.demonstration_changes import ModalityDropout, PictureChanges

_MOMENTS_OF_A_MEMORY = 4


class Moments(Params):
    """What a fusion with a memory is unrolled over, and how often a policy decides."""

    count: int = param(
        0,
        "moments of a sample, nothing remembered before them; 0: 4 for a fusion with a memory, "
        "1 for any other",
        ge=0,
        le=64,
    )
    period_s: float = param(
        0.1,
        "from a decision to the next; no less than a step of the sets",
        unit="s",
        gt=0,
        le=10,
    )

    def count_for(self, *, has_memory: bool) -> int:
        """Moments of a sample for a fusion with or without a memory."""
        return self.count or (_MOMENTS_OF_A_MEMORY if has_memory else 1)


class SentenceOptions(Params):
    """The frozen encoder of sentences, where the observation's words are `sentence`."""

    folder: str = param("", "tokenizer.json and model.onnx, or a model of transformers")
    max_tokens: int = param(32, "of the longest sentence", ge=2, le=512)


class PerceptionOptions(Params):
    """Perception that is run over the sets where the observation takes something of it."""

    model: str = param("native-s", "bundle that the robot's perception node runs as well")
    camera: str = param("", "the sets' camera that it sees by; empty: the observation's first")
    parameters: dict[str, Any] = param({}, "of the service by dotted names, where not as usual")


class DemonstrationOptions(Params):
    """What a policy from pixels learns from. The observation travels with the policy."""

    train_sets: list[str] = param([], "folders of datasets of demonstrations")
    val_sets: list[str] = param([], "folders of held-out ones; empty: a share of the others")
    val_share: float = param(
        0.1, "of the episodes held out where there is no val set; 0: none", ge=0, lt=1
    )
    val_fold: int = param(
        0, "which share is held out: of few episodes each in turn, 0 to 1 / val_share - 1", ge=0
    )
    only_success: bool = param(True, "leave out episodes that are marked as failures")
    meaning: str = param("", "YAML file: what numbers of foreign sets mean; ours say it")
    observation: ObservationSpec = ObservationSpec()
    sentences: SentenceOptions = SentenceOptions()
    perception: PerceptionOptions = PerceptionOptions()
    camera_poses: bool = param(
        False, "show where cameras are, as the sets or their meaning say; leave out spec.poses"
    )
    horizon: int = param(16, "steps of a chunk of actions, each one step of the sets", ge=1, le=64)
    keyframe_weight: float = param(
        0.0,
        "of a further loss: where the tool is when the gripper next changes; 0: none",
        ge=0,
        le=100,
    )
    pointing_weight: float = param(
        0.1,
        "of the cells that a policy with spec.pointing points at, taught by the same keyframes",
        ge=0,
        le=100,
    )
    statistics: Literal["mean_std", "quantiles"] = param(
        "quantiles", "actions are normalised by: mean and deviation, or 1st and 99th percentile"
    )
    moments: Moments = Moments()
    cache_features: bool = param(
        False, "keep what a frozen encoder makes of each picture; pictures then never change"
    )
    cache_dir: str = param("data/cache/demonstrations", "folder of decoded pictures")
    loaders: int = param(1, "threads that make batches", ge=1, le=256)
    val_decisions: int = param(600, "decisions of an evaluation while training", ge=1)
    dropout: ModalityDropout = ModalityDropout()
    pictures: PictureChanges = PictureChanges()
