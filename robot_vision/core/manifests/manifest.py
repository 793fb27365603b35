"""`model.yaml`, the description that travels with a model's file in its bundle."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from robot_vision.core.manifests.vocabulary import Vocabulary

# Largest size of a carried state: that of an input of 4096 x 4096 pixels.
_MOST_CARRIED = 2**24

# This file does not list the formats: `robot_vision.formats` knows them.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


class CarriedState(BaseModel):
    """An input that receives an output of the previous frame.

    Both are names of f32 [1, *shape] tensors; zeros if there is no previous frame.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: str
    output: str
    shape: tuple[Annotated[int, Field(gt=0, le=2**20)], ...] = Field(min_length=1, max_length=6)

    @model_validator(mode="after")
    def _is_of_a_size(self) -> "CarriedState":
        if math.prod(self.shape) > _MOST_CARRIED:
            raise ValueError(
                f"{self.input!r} carries {math.prod(self.shape)} numbers from frame to frame; "
                f"expected at most {_MOST_CARRIED}"
            )
        return self


class ModelInput(BaseModel):
    """How a frame becomes the model's image input.

    `resize`: `letterbox` keeps the ratio and centres, `letterbox_topleft` keeps the ratio and pads
    right and below, `stretch` fills, `crop` keeps the ratio, fills, and cuts off what exceeds two
    sides. `resample`: `linear` interpolates between the nearest pixels, the others average over
    the source area, as Pillow does. Pixels become `(pixel * scale - mean) / std`. `layout` is the
    tensor's layout; `uint8` inputs get unscaled pixels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    width_px: int = Field(gt=0, le=8192)
    height_px: int = Field(gt=0, le=8192)
    batch: int = Field(
        default=1,
        ge=1,
        le=64,
        description="pictures per run that the model requires; each run processes one frame",
    )
    color: Literal["rgb", "bgr"] = "rgb"
    resize: Literal["letterbox", "letterbox_topleft", "stretch", "crop"] = "letterbox"
    resample: Literal["linear", "antialiased_linear", "antialiased_cubic"] = "linear"
    pad_value: int = Field(default=114, ge=0, le=255)
    scale: float = Field(default=1 / 255, gt=0, allow_inf_nan=False)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    layout: Literal["nchw", "nhwc"] = "nchw"
    depth_name: str = Field(
        default="", description="input for depth in metres, f32 [1,1,H,W], 0 invalid"
    )
    focal_name: str = Field(
        default="", description="input for the focal length in input pixels, f32 [1,1], 0 unknown"
    )
    size_name: str = Field(
        default="",
        description="input for the size that boxes are scaled to, i64 [1,2] as width, height",
    )
    carried: tuple[CarriedState, ...] = Field(
        default=(), description="inputs that are outputs of the previous frame", max_length=64
    )
    carried_gap_s: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="largest gap between stamps; after a longer one the carried state is reset",
    )

    @model_validator(mode="after")
    def _carries_of_one_frame(self) -> "ModelInput":
        names = [state.input for state in self.carried]
        if len(set(names)) < len(names):
            raise ValueError(f"carried: an input is listed twice: {', '.join(names)}")
        if self.carried and self.batch > 1:
            raise ValueError(f"a model that carries state needs batch: 1, not {self.batch}")
        return self


class OutputReading(BaseModel):
    """How to interpret a model's outputs where exporters differ.

    `Format.readings` lists those that a format supports; the others keep their defaults.
    `box_units`: input pixels, or fractions of the input's width and height. `box_order`: the order
    of a box's four numbers. `scores`: probabilities, or values before sigmoid or softmax. `grid`:
    boxes relative to grid cells, or already in input pixels. `last_columns`: for rows that end in
    a score and a class, their order. `background`: the position of the background class.
    `activation` of DETR's logits: sigmoid per class, or softmax over classes and background.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    box_units: Literal["pixels", "fractions"] = "pixels"
    box_order: Literal["xyxy", "yxyx", "cxcywh"] = "xyxy"
    scores: Literal["probabilities", "logits"] = "probabilities"
    grid: Literal["encoded", "decoded"] = "encoded"
    last_columns: Literal["score_class", "class_score"] = "score_class"
    background: Literal["none", "first", "last"] = "none"
    activation: Literal["sigmoid", "softmax"] = "sigmoid"


class SentenceTower(BaseModel):
    """A frozen encoder of sentences: a network that gives an encoding a token, and a tokenizer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="", max_length=200)
    file: Annotated[str, Field(pattern=r"^\w[\w.\-]*$")] = "sentences.onnx"
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    tokenizer: Annotated[str, Field(pattern=r"^\w[\w.\-]*$")] = "tokenizer.json"
    tokenizer_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    max_tokens: int = Field(ge=2, le=512, description="tokens of the longest text")
    width: int = Field(ge=1, le=8192, description="numbers of an encoding")


class TextEncoder(BaseModel):
    """A separate network that embeds texts in the space of the model's `embedding`.

    It gives unit-norm embeddings f32 [b,D] of `tokens` i64 [b,max_words] of its `vocabulary`; or
    of `encodings` f32 [b,max_tokens,width] by `sentences`, where rows of zeros are padding.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, Field(pattern=r"^\w[\w.\-]*$")] = "text.onnx"
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    vocabulary: Vocabulary | None = None
    sentences: SentenceTower | None = None

    @model_validator(mode="after")
    def _has_one_reader(self) -> "TextEncoder":
        if (self.vocabulary is None) == (self.sentences is None):
            raise ValueError("text: expected either a vocabulary or sentences")
        return self


class PromptEncoder(BaseModel):
    """The encoder of a model's prompt: a separate network, run once per change of the prompt.

    The network takes `tokens` i64 [1,l] of `vocabulary`, or what a tokenizer.json makes of a
    phrase as `input_ids` and `attention_mask` i64 [1,`max_tokens`]. It outputs f32 [1,l,`width`],
    one encoding per token; or [1,`width`], one per phrase, if `tokens` is 1. The model takes these
    as `name` f32 [1,`phrases`,`tokens`,`width`], and the valid ones as `mask_name` bool
    [1,`phrases`,`tokens`].
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, Field(pattern=r"^\w[\w.\-]*$")] = "language.onnx"
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    vocabulary: Vocabulary | None = None
    tokenizer: Annotated[str, Field(pattern=r"^(\w[\w.\-]*)?$")] = Field(
        default="", description="tokenizer file, if there is no vocabulary"
    )
    tokenizer_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    max_tokens: int = Field(
        default=16, ge=1, le=512, description="largest number of tokens of a phrase"
    )
    name: str = "prompt"
    mask_name: str = "prompt_mask"
    phrases: int = Field(ge=1, le=256, description="largest number of phrases in a prompt")
    tokens: int = Field(ge=1, le=512, description="encodings of each phrase")
    width: int = Field(ge=1, le=8192, description="length of an encoding")

    @model_validator(mode="after")
    def _has_one_reader(self) -> "PromptEncoder":
        if (self.vocabulary is None) == (not self.tokenizer):
            raise ValueError("prompt: expected either a vocabulary or a tokenizer")
        return self


class CompressionStep(BaseModel):
    """A compression step, and the figures before and after it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: str
    note: str = ""
    before: dict[str, float] = {}
    after: dict[str, float] = {}


class ModelManifest(BaseModel):
    """A bundle's description of its model. `outputs` maps the format's roles to tensor names.

    That the format exists, and its demands on a manifest, are checked by
    `formats.check.check_manifest` whenever a bundle is opened or described.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str = "1"
    task: Name
    format: Name
    file: Annotated[str, Field(pattern=r"^\w[\w.\-]*$")] = "model.onnx"
    architecture: str = Field(
        default="", description="torch model in the registry, for weight files"
    )
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    # Further files that `file` reads (weights of ONNX kept beside it), and their sha256.
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = {}
    input: ModelInput
    outputs: dict[str, str] = {}
    reading: OutputReading = OutputReading()
    classes: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = Field(
        default=(), description="names of the model's keypoints, if it has any, in its order"
    )
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    feature_stride_px: float = 16.0
    text: TextEncoder | None = Field(default=None, description="text encoder of image-text models")
    prompt: PromptEncoder | None = Field(default=None, description="encoder of the prompt")
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    metrics: dict[str, float | str] = {}
    compression: tuple[CompressionStep, ...] = ()
    licence: str = "unknown"
    description: str = ""
    limits: str = ""

    @model_validator(mode="after")
    def _has_files_of_their_own(self) -> "ModelManifest":
        if self.text is not None and self.text.file == self.file:
            raise ValueError(f"text.file is {self.file!r}, as the model's own file is")
        if self.text is not None and (tower := self.text.sentences) is not None:
            names = [self.file, self.text.file, tower.file, tower.tokenizer]
            if len(set(names)) < len(names):
                raise ValueError(f"text: two of its files have one name: {', '.join(names)}")
        if self.prompt is not None:
            names = [self.file, self.prompt.file, self.prompt.tokenizer]
            if len(set(names)) < len(names):
                raise ValueError(f"prompt: two of its files have one name: {', '.join(names)}")
        return self

    @model_validator(mode="before")
    @classmethod
    def _activation_of_before(cls, described: Any) -> Any:
        """Older bundles have `activation` outside `reading`; softmax implied a last background
        class."""
        if not isinstance(described, dict) or "activation" not in described:
            return described
        rest = {key: value for key, value in described.items() if key != "activation"}
        by = described["activation"]
        reading = {"activation": by} | ({"background": "last"} if by == "softmax" else {})
        return rest | {"reading": reading | dict(rest.get("reading", {}))}

    @property
    def models(self) -> dict[str, str]:
        """The bundle's networks: names of files and their sha256."""
        models = {self.file: self.sha256}
        if self.text is not None:
            models[self.text.file] = self.text.sha256
            if (tower := self.text.sentences) is not None:
                models[tower.file] = tower.sha256
        if self.prompt is not None:
            models[self.prompt.file] = self.prompt.sha256
        return models

    @property
    def other_files(self) -> dict[str, str]:
        """Files beside the networks: weights that they read, a tokenizer; with their sha256."""
        files = dict(self.files)
        if self.prompt is not None and self.prompt.tokenizer:
            files[self.prompt.tokenizer] = self.prompt.tokenizer_sha256
        if self.text is not None and (tower := self.text.sentences) is not None:
            files[tower.tokenizer] = tower.tokenizer_sha256
        return files

    @property
    def model_id(self) -> str:
        return f"{self.name}@{self.version}"
