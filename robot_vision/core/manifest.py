"""`model.yaml`, the description that travels with a model's file in its bundle."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from robot_vision.core.vocabulary import Vocabulary

# Numbers that one state may have: as many as an input of 4096 x 4096 pixels.
_MOST_CARRIED = 2**24

# Which there are is no matter of this file: `robot_vision.formats` knows them.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


class CarriedState(BaseModel):
    """An input that takes, with each frame, what an output said of the frame before.

    Both are tensors' names, of f32 [1, *shape]; zeros where there is no frame before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: str
    output: str
    shape: tuple[Annotated[int, Field(gt=0, le=2**20)], ...] = Field(min_length=1, max_length=6)

    @model_validator(mode="after")
    def _is_of_a_size(self) -> "CarriedState":
        if math.prod(self.shape) > _MOST_CARRIED:
            raise ValueError(
                f"{self.input!r} carries {math.prod(self.shape)} numbers from frame to frame, "
                f"expected at most {_MOST_CARRIED}"
            )
        return self


class ModelInput(BaseModel):
    """How a frame becomes the model's image input.

    `resize`: `letterbox` keeps the ratio and centres, `letterbox_topleft` keeps the ratio and
    pads right and below, `stretch` fills, `crop` keeps the ratio, fills, and leaves out what
    stands over on two sides. `resample`: `linear` takes the pixels around each place, the others
    weigh all that fall into it, as Pillow does. Pixels become `(pixel * scale - mean) / std`.
    `layout` is the tensor's layout; `uint8` inputs get the pixels as they are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    width_px: int = Field(gt=0, le=8192)
    height_px: int = Field(gt=0, le=8192)
    batch: int = Field(
        default=1, ge=1, le=64, description="pictures that the model always takes; one is a frame"
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
        default=(), description="inputs that are outputs of the frame before", max_length=64
    )
    carried_gap_s: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="between stamps; after a longer one what was carried is forgotten",
    )

    @model_validator(mode="after")
    def _carries_of_one_frame(self) -> "ModelInput":
        names = [state.input for state in self.carried]
        if len(set(names)) < len(names):
            raise ValueError(f"carried: an input is named twice: {', '.join(names)}")
        if self.carried and self.batch > 1:
            raise ValueError(f"a model that carries state takes one picture, not {self.batch}")
        return self


class OutputReading(BaseModel):
    """How the numbers of a model's outputs are to be read, where exporters differ.

    A format says in `Format.readings` which of these it knows; the others stay as they are.
    `box_units`: input pixels, or fractions of the input's width and height. `box_order`: the
    order of a box's four numbers. `scores`: as they are, or before sigmoid or softmax.
    `grid`: boxes relative to cells of the grid, or already in the input. `last_columns`: of rows
    that end in a score and a class. `background`: where a class that means nothing stands.
    `activation` of DETR's logits: each class by itself, or softmax over classes and background.
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
    """A network beside the model that puts texts where the model's `embedding` puts pictures.

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
    """What reads the words that a model is asked by: a network beside it, run once a change.

    The network takes `tokens` i64 [1,l] of `vocabulary`, or what a tokenizer.json makes of a
    phrase as `input_ids` and `attention_mask` i64 [1,`max_tokens`]. It answers f32 [1,l,`width`],
    an encoding a token; or [1,`width`], one a phrase, where `tokens` is 1. The model takes these
    as `name` f32 [1,`phrases`,`tokens`,`width`], and as `mask_name` bool [1,`phrases`,`tokens`]
    which of them there are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, Field(pattern=r"^\w[\w.\-]*$")] = "language.onnx"
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    vocabulary: Vocabulary | None = None
    tokenizer: Annotated[str, Field(pattern=r"^(\w[\w.\-]*)?$")] = Field(
        default="", description="file of the tokenizer, where there is no vocabulary"
    )
    tokenizer_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    max_tokens: int = Field(default=16, ge=1, le=512, description="of the tokenizer's phrases")
    name: str = "prompt"
    mask_name: str = "prompt_mask"
    phrases: int = Field(ge=1, le=256, description="phrases that a prompt may have")
    tokens: int = Field(ge=1, le=512, description="encodings of each phrase")
    width: int = Field(ge=1, le=8192, description="numbers of an encoding")

    @model_validator(mode="after")
    def _has_one_reader(self) -> "PromptEncoder":
        if (self.vocabulary is None) == (not self.tokenizer):
            raise ValueError("prompt: expected either a vocabulary or a tokenizer")
        return self


class CompressionStep(BaseModel):
    """A step by which a model became smaller, and the figures before and after it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: str
    note: str = ""
    before: dict[str, float] = {}
    after: dict[str, float] = {}


class ModelManifest(BaseModel):
    """What a bundle says of its model. `outputs` maps the format's roles to tensor names.

    That there is such a format, and what it asks of a manifest, is checked by
    `formats.check.check_manifest` wherever a bundle is opened or described.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str = "1"
    task: Name
    format: Name
    file: Annotated[str, Field(pattern=r"^\w[\w.\-]*$")] = "model.onnx"
    architecture: str = Field(
        default="", description="torch model in the registry, for files of weights"
    )
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    # Further files that `file` reads (weights of ONNX kept beside it), and their sha256.
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = {}
    input: ModelInput
    outputs: dict[str, str] = {}
    reading: OutputReading = OutputReading()
    classes: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = Field(
        default=(), description="names of the keypoints of a model that has such, in its order"
    )
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    feature_stride_px: float = 16.0
    text: TextEncoder | None = Field(
        default=None, description="encoder of texts, of models of pictures and words"
    )
    prompt: PromptEncoder | None = Field(
        default=None, description="encoder of the words that a model is asked by"
    )
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
        """Bundles of before have `activation` beside `reading`; softmax had a last class."""
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
        """What is no network: weights that networks read, a tokenizer; and their sha256."""
        files = dict(self.files)
        if self.prompt is not None and self.prompt.tokenizer:
            files[self.prompt.tokenizer] = self.prompt.tokenizer_sha256
        if self.text is not None and (tower := self.text.sentences) is not None:
            files[tower.tokenizer] = tower.tokenizer_sha256
        return files

    @property
    def model_id(self) -> str:
        return f"{self.name}@{self.version}"
