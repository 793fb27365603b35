"""`vlm-policy`: any vision-language model as a policy (RoboVLMs), and its card."""

from torch import nn

from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.models.card import Card, Graph, Serving, Size
from robot_vision.models.policies.chunk_serving import Declared, served_graphs
from robot_vision.models.policies.chunks import ChunkPolicy
from robot_vision.models.policies.pixel_spec import PartChoice
from robot_vision.models.registry import register_model
from robot_vision.models.vla.backbone import load_backbone
from robot_vision.models.vla.lora import merged
from robot_vision.models.vla.sight import VlmSight
from robot_vision.models.vla.small import small_config
from robot_vision.models.vla.spec import BackboneSpec, LoraSpec, VlmPolicySpec


class VlmPolicy(ChunkPolicy):
    """Tokens of a vision-language model, a fusion over moments, and an action head."""

    sight: VlmSight

    def __init__(self, spec: VlmPolicySpec) -> None:
        super().__init__(spec, VlmSight(spec))

    def load_pretrained(self) -> None:
        """Load the weights of the backbone's folder, if the spec names one."""
        folder = self.spec.backbone.folder
        if folder:
            load_backbone(self.sight.vlm, folder)


def vlm_graphs(model: nn.Module, spec: VlmPolicySpec, size: Size) -> tuple[Graph, ...]:
    """The network with its low-rank adapters merged."""
    assert isinstance(model, VlmPolicy)
    if spec.lora.rank:
        spec = spec.model_copy(update={"lora": LoraSpec()})
        model = merged(model)
        model.spec = model.sight.spec = spec
    return served_graphs(model, spec, size)


def _spec(side_px: int, **values: object) -> VlmPolicySpec:
    camera = CameraInput(name="front", width_px=side_px, height_px=side_px)
    observation = ObservationSpec(cameras=(camera,), words="sentence")
    return VlmPolicySpec.model_validate({"observation": observation, **values})


_DECLARED = Declared(build=VlmPolicy)

register_model(
    Card(
        name="vlm-policy",
        about=(
            "Any vision-language model as a policy: an adapter locates its parts; its action "
            "tokens, a fusion over moments and an action head make a chunk of actions."
        ),
        paper="arXiv:2412.14058",
        task="demonstrations",
        spec=_spec(
            64,
            backbone=BackboneSpec(
                config=small_config("paligemma", width=128, layers=2, side_px=64)
            ),
            text_width=128,
        ),
        tiny=_spec(
            32,
            backbone=BackboneSpec(
                config=small_config("paligemma", width=16, layers=1, side_px=32)
            ),
            action_tokens=2,
            text_width=16,
            max_words=5,
            fusion=PartChoice(name="transformer", options={"layers": 1}),
            head=PartChoice(name="mlp", options={"hidden": 16, "blocks": 1}),
            width=16,
            horizon=3,
        ),
        build=VlmPolicy,
        example=_DECLARED.example,
        inputs=_DECLARED.inputs,
        outputs=_DECLARED.outputs,
        most_parameters=4_000_000,
        serving=Serving(graphs=vlm_graphs),
        called_by_name=True,
        limits=(
            "It can do only what its backbone and its demonstrations support; no weights ship "
            "with it, and it has not been measured with real weights of a backbone."
        ),
    )
)
