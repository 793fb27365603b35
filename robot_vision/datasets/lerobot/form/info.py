"""`meta/info.json` as LeRobot writes it, untrusted and read within bounds."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from robot_vision.core.files.foreign import brief
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.files.json_files import checked, read_json
from robot_vision.datasets.lerobot.files.paths import FEATURE_NAME, LONGEST_TEMPLATE
from robot_vision.datasets.lerobot.form import layout
from robot_vision.datasets.lerobot.form.schema import NUMBERED

_READABLE = (layout.V30, layout.V21, layout.V20)
MOST_FEATURES = 1000
MOST_FPS = 10_000
# Of an image's side or a vector's length.
MOST_IN_SHAPE = 1_000_000

_FeatureName = Annotated[str, StringConstraints(pattern=FEATURE_NAME)]
_Template = Annotated[str, StringConstraints(max_length=LONGEST_TEMPLATE)]


class _Feature(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    dtype: str = Field(max_length=50)
    shape: list[Annotated[int, Field(ge=0, le=MOST_IN_SHAPE)]] = Field(max_length=8)
    info: dict[str, Any] | None = None


class _Info(BaseModel):
    """The fields read from `info.json`; others are ignored."""

    model_config = ConfigDict(extra="allow", strict=True)

    fps: float = Field(gt=0, le=MOST_FPS, allow_inf_nan=False)
    chunks_size: int = Field(layout.FILES_PER_CHUNK, ge=1, le=10**9)
    features: dict[_FeatureName, _Feature] = Field(max_length=MOST_FEATURES)
    data_path: _Template | None = None
    video_path: _Template | None = None


def read_info(root: Path) -> dict[str, Any]:
    """`meta/info.json`; raises `DatasetError` if it cannot be read."""
    path = root / layout.INFO
    if not path.exists():
        raise DatasetError(f"{root} is not a dataset: no {layout.INFO}")
    info = read_json(path)
    if not isinstance(info, dict):
        raise DatasetError(f"{path}: expected an object, found {type(info).__name__}")
    missing = [name for name in ("codebase_version", "fps", "features") if name not in info]
    if missing:
        raise DatasetError(f"{path}: no {', '.join(missing)}")
    if info["codebase_version"] not in _READABLE:
        raise DatasetError(
            f"{root} is of version {brief(info['codebase_version'])}; readable versions are "
            f"{', '.join(_READABLE)}: convert it with LeRobot's own scripts"
        )
    checked(info, _Info, where=path)
    missing = [name for name in NUMBERED if name not in info["features"]]
    if missing:
        raise DatasetError(f"{path}: no feature {', '.join(missing)}")
    return info
