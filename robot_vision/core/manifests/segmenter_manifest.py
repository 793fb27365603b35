"""`segmenter.yaml`: the description of the two networks of a promptable segmentation model."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FileName = Annotated[str, Field(pattern=r"^\w[\w.\-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class PictureInput(BaseModel):
    """How a picture becomes the encoder's input.

    `topleft` keeps the ratio: the longer side becomes `side_px`, and zeros pad the right and
    bottom *after* the pixels became `(pixel * scale - mean) / std`. `stretch` fills the square.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    side_px: int = Field(ge=16, le=8192)
    resize: Literal["topleft", "stretch"] = "topleft"
    scale: PositiveNumber = 1 / 255
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[PositiveNumber, PositiveNumber, PositiveNumber] = (0.229, 0.224, 0.225)


class SegmenterManifest(BaseModel):
    """The description of a bundle of an encoder and a decoder.

    `pair` names the module in `robot_vision.segment.pairs` that knows the tensors of both.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str = "1"
    task: Literal["segment_anything"] = "segment_anything"
    pair: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
    encoder_file: FileName = "encoder.onnx"
    encoder_sha256: Sha256 = ""
    decoder_file: FileName = "decoder.onnx"
    decoder_sha256: Sha256 = ""
    # Further files that the networks read (weights kept beside them), and their sha256.
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = {}
    picture: PictureInput
    mask_threshold: float = Field(default=0.0, allow_inf_nan=False)
    licence: str = "unknown"
    description: str = ""
    limits: str = ""

    @model_validator(mode="after")
    def _has_two_files(self) -> "SegmenterManifest":
        if self.encoder_file == self.decoder_file:
            raise ValueError(
                f"encoder and decoder are both {self.encoder_file!r}; expected two files"
            )
        return self

    @property
    def models(self) -> dict[str, str]:
        """The bundle's networks: names of files and their sha256."""
        return {
            self.encoder_file: self.encoder_sha256,
            self.decoder_file: self.decoder_sha256,
        }

    @property
    def model_id(self) -> str:
        return f"{self.name}@{self.version}"
