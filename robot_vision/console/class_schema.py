"""Classes of a frame and of its pixels, as the console reports them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=-0.01, le=1.01, allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=1000)]


class FrameClass(BaseModel):
    """A class that the whole frame may show."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    class_name: Name = Field(alias="class", examples=["kitchen"])
    probability: Probability = Field(examples=[0.93])


class ClassificationView(BaseModel):
    """`GET /api/classification` and the topic `classification`, most likely first.

    As in `~/classification/json`: the model's 100 most likely classes.
    """

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    stamp_ns: int
    frame_id: Name = ""
    model: Name
    classes: Annotated[list[FrameClass], Field(max_length=1000)]


class PixelClass(BaseModel):
    """A class found among the frame's pixels: its label, share and colour.

    Label 0 means no class and has no colour.
    """

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    label: int
    class_name: Name = Field(alias="class", examples=["table"])
    share: Probability = Field(examples=[0.41])
    color: str | None = Field(None, examples=["#e69f00"])


class SegmentationView(BaseModel):
    """`GET /api/segmentation`: the classes of the newest frame's pixels, largest share first."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    stamp_ns: int
    model: Name
    classes: list[PixelClass]


class PixelLabels(BaseModel):
    """The part of `~/segmentation/json` that the console reads: names by label, as JSON texts."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: Name
    labels: Annotated[dict[Annotated[int, Field(ge=0, le=65535)], Name], Field(max_length=65536)]


class AnalyzedSegmentation(BaseModel):
    """Classes of a picture's pixels; `image` is the path of a PNG overlay with alpha."""

    classes: list[PixelClass]
    image: str
