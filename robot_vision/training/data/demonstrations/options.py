"""Options: the demonstrations for a policy, its inputs, and their random changes."""

from typing import Any, Literal

from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.parameters.params import Params, param
from robot_vision.training.data.demonstrations.changes import ModalityDropout, PictureChanges

_MOMENTS_OF_A_MEMORY = 4


class Moments(Params):
    """Unrolling of a fusion with memory, and how often a policy decides."""

    count: int = param(
        0,
        "moments of a sample, without memory before them; 0: 4 for a fusion with memory, 1 for "
        "any other",
        ge=0,
        le=64,
    )
    period_s: float = param(
        0.1,
        "from one decision to the next; at least a step of the sets",
        unit="s",
        gt=0,
        le=10,
    )

    def count_for(self, *, has_memory: bool) -> int:
        """Moments of a sample for a fusion with or without memory."""
        return self.count or (_MOMENTS_OF_A_MEMORY if has_memory else 1)


class SentenceOptions(Params):
    """The frozen sentence encoder, if the observation's words are `sentence`."""

    folder: str = param("", "tokenizer.json and model.onnx, or a transformers model")
    max_tokens: int = param(32, "of the longest sentence", ge=2, le=512)


class PerceptionOptions(Params):
    """Perception to run over the sets if the observation uses it."""

    model: str = param("native-s", "bundle that the robot's perception node also runs")
    camera: str = param("", "the sets' camera for it; empty: the observation's first")
    parameters: dict[str, Any] = param(
        {}, "of the service by dotted names, where they differ from the defaults"
    )


class DemonstrationOptions(Params):
    """What a policy from pixels learns from. The observation is stored with the policy."""

    train_sets: list[str] = param([], "folders of datasets of demonstrations")
    val_sets: list[str] = param([], "folders of held-out ones; empty: a share of the others")
    val_share: float = param(
        0.1, "share of episodes held out if there is no val set; 0: none", ge=0, lt=1
    )
    val_fold: int = param(
        0, "which share is held out: for few episodes each in turn, 0 to 1 / val_share - 1", ge=0
    )
    only_success: bool = param(True, "leave out episodes marked as failures")
    meaning: str = param("", "YAML file: the meaning of numbers in foreign sets; ours state it")
    observation: ObservationSpec = ObservationSpec()
    sentences: SentenceOptions = SentenceOptions()
    perception: PerceptionOptions = PerceptionOptions()
    camera_poses: bool = param(
        False, "show camera poses, as given by the sets or their meaning; leave out spec.poses"
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
        False, "keep a frozen encoder's maps of each picture; pictures then never change"
    )
    cache_dir: str = param("data/cache/demonstrations", "folder of decoded pictures")
    loaders: int = param(1, "threads that make batches", ge=1, le=256)
    val_decisions: int = param(600, "decisions of an evaluation while training", ge=1)
    dropout: ModalityDropout = ModalityDropout()
    pictures: PictureChanges = PictureChanges()
