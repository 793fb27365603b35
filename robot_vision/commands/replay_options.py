"""Options of `robot-vision replay`."""

from pathlib import Path
from typing import Annotated, Any

import typer

INPUTS, PACE, RESULT, MANY = "Inputs", "Pace and range", "Results", "Many bags"


def _option(help: str, panel: str, *names: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel)


Bags = Annotated[list[Path], typer.Argument(help="bags, datasets, videos or folders of images")]

Model = Annotated[
    str, _option("bundle: a name or a folder; with --policy: its perception", INPUTS)
]
ParameterFile = Annotated[Path | None, _option("YAML file of parameters, as for the node", INPUTS)]
Parameters = Annotated[
    list[str] | None, _option("a parameter: detector.score_threshold=0.4", INPUTS)
]
RgbTopic = Annotated[str, _option("topic of colour images; default: found by type", INPUTS)]
DepthTopic = Annotated[str, _option("topic of depth images", INPUTS)]
InfoTopic = Annotated[str, _option("camera_info topic of the colour images", INPUTS)]
DepthInfoTopic = Annotated[str, _option("camera_info topic of the depth images", INPUTS)]
Episodes = Annotated[
    list[int] | None, _option("episode number of a dataset; default: all", INPUTS)
]
Camera = Annotated[
    str,
    _option(
        "camera of a dataset; default: the only one, or with --policy the one it was trained with",
        INPUTS,
    ),
]
Fps = Annotated[float, _option("rate of a dataset that does not state it (RLDS)", INPUTS)]
Policy = Annotated[str, _option("run a dataset's episodes through this policy instead", INPUTS)]
MeaningFile = Annotated[
    Path | None,
    _option(
        "with --policy: meaning of a foreign dataset's numbers, if not as in its training data",
        INPUTS,
    ),
]
ListTopics = Annotated[
    bool, _option("list what would be used and why, without replaying", INPUTS, "--list")
]
TargetFrame = Annotated[
    str, _option("target_frame of the node; auto: odom, map, world or the root", INPUTS)
]
FixedIntrinsics = Annotated[str, _option("fx,fy,cx,cy to use instead of camera_info", INPUTS)]

Rate = Annotated[str, _option("as-fast-as-possible, real-time, or a multiple of real time", PACE)]
From = Annotated[float, _option("seconds after the first frame", PACE, "--from")]
To = Annotated[float, _option("seconds after the first frame", PACE, "--to")]

Out = Annotated[Path | None, _option("folder for report, MCAP and tracks", RESULT)]
Json = Annotated[Path | None, _option("file for all figures", RESULT)]
Golden = Annotated[Path | None, _option("golden file to compare with", RESULT)]
UpdateGolden = Annotated[bool, _option("write --golden instead of comparing", RESULT)]
RecordedImages = Annotated[
    str, _option("images in the MCAP: none, depth, or all (with the overlay)", RESULT)
]
Points = Annotated[bool, _option("point clouds in the MCAP (large)", RESULT)]
Tracks = Annotated[str, _option("csv or parquet", RESULT)]

Jobs = Annotated[int, _option("bags processed in parallel, each in its own process", MANY)]
Ray = Annotated[str, _option("address of a Ray cluster; local: start one", MANY)]
Resume = Annotated[bool, _option("reuse results in --out for unchanged inputs", MANY)]
