"""The card of `pixel-policy`."""

from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.models.card import Card, Serving
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.policies.chunk_serving import Declared, served_graphs
from robot_vision.models.policies.pixel_spec import PartChoice, PixelPolicySpec
from robot_vision.models.policies.pixels import PixelPolicy
from robot_vision.models.registry import register_model

_SMALL_ENCODER = EncoderChoice(name="resnet18", options={"depths": (1, 1, 1, 1), "width": 4})
_DECLARED = Declared(build=PixelPolicy)
_CAMERA = CameraInput(name="front", width_px=208, height_px=160, has_depth=True)
_TINY_CAMERA = CameraInput(name="front", width_px=48, height_px=32, has_depth=True)

register_model(
    Card(
        name="pixel-policy",
        about=(
            "Pictures of named cameras, depth, the arm's state and words to a chunk of actions: "
            "any encoder, any way of fusing them, any action head."
        ),
        paper="arXiv:2304.13705, arXiv:2405.12213",
        task="demonstrations",
        spec=PixelPolicySpec(observation=ObservationSpec(cameras=(_CAMERA,))),
        tiny=PixelPolicySpec(
            observation=ObservationSpec(cameras=(_TINY_CAMERA,), steps=2),
            encoder=_SMALL_ENCODER,
            fusion=PartChoice(name="transformer", options={"layers": 1}),
            head=PartChoice(name="mlp", options={"hidden": 16, "blocks": 1}),
            width=16,
            grid_rows=2,
            grid_columns=3,
            depth_width=4,
            words=9,
            max_words=5,
            horizon=3,
        ),
        build=PixelPolicy,
        example=_DECLARED.example,
        inputs=_DECLARED.inputs,
        outputs=_DECLARED.outputs,
        most_parameters=4_000_000,
        serving=Serving(graphs=served_graphs),
        called_by_name=True,
        limits=("It can do only what its demonstrations show; no weights ship with it."),
    )
)
