"""What is said of clients' pictures, over HTTP and the analysis stream, as pydantic models."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from robot_vision.console.base_schema import Bones, Model, Polygon, printable
from robot_vision.console.class_schema import AnalyzedSegmentation, FrameClass
from robot_vision.console.object_schema import Keypoint, OrientedBox
from robot_vision.console.schema import Task


class Detected(Model):
    """One detection of a picture sent to be analysed."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    class_name: str = Field(alias="class")
    score: float
    box_xyxy_px: list[float]
    distance_m: float | None = None
    outline_px: list[Polygon] | None = None
    keypoints: list[Keypoint] | None = None
    oriented_box: OrientedBox | None = None


class AnalyzedDepth(Model):
    """Depth of a picture: `image` is the path of a coloured PNG.

    `colors` run in even steps over `scale_m`, from near to far; black is unknown.
    """

    source: str
    min_m: float | None
    max_m: float | None
    median_m: float | None
    valid_fraction: float
    image: str
    scale_m: tuple[float, float]
    colors: list[str]


class AnalyzedFeatures(Model):
    """The feature grid's size, the embedding (unit norm), and a PNG of the grid (PCA to RGB)."""

    rows: int
    columns: int
    channels: int
    embedding: list[float]
    image: str


class SimilarFrame(Model):
    """A picture of the console's index: how like it is (cosine), and where it is from.

    `image` is the path of a small JPEG.
    """

    similarity: float
    source: str
    name: str
    stamp_s: float
    image: str


class AnalyzedPicture(Model):
    """One picture, or one frame of a video at `time_s`. `overlay` is the path of a JPEG."""

    index: int
    time_s: float | None = None
    width_px: int
    height_px: int
    overlay: str
    stage_ms: dict[str, float]
    detections: list[Detected] | None = None
    bones: Bones = Field(default_factory=list)
    depth: AnalyzedDepth | None = None
    features: AnalyzedFeatures | None = None
    classification: list[FrameClass] | None = None
    segmentation: AnalyzedSegmentation | None = None
    similar_frames: list[SimilarFrame] | None = None


class Similarity(Model):
    """Cosine of the embeddings of two pictures: 1 looks the same."""

    cosine: float


class Analysis(Model):
    """`POST /api/analyze`. Image paths are of this server and live for some minutes."""

    model: str
    provider: str
    tasks: list[Task]
    elapsed_ms: float
    pictures: list[AnalyzedPicture]
    similarity: Similarity | None = None
    notes: list[str] = Field(default_factory=list)


class AnalysisRequest(Model):
    """The header of a request on `/api/analyze/stream`; the picture or video follows it.

    `id` is the client's own: the answer has it.
    """

    id: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(printable)]
    tasks: Annotated[list[Task], Field(min_length=1, max_length=20)]


class AnalysisFailure(Model):
    """Why there is no answer; `status` is what HTTP would have had."""

    status: int
    detail: str


class AnalysisAnswer(Model):
    """An answer on `/api/analyze/stream`, in any order: an analysis or the reason for none.

    `id` is that of the request; null where the request had none that could be read.
    """

    id: str | None
    analysis: Analysis | None = None
    error: AnalysisFailure | None = None
