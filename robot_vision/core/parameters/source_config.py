"""Parameters of a live source without a ROS driver: a webcam, a stream, a video file."""

from robot_vision.core.parameters.config import Params, param


class SourceConfig(Params):
    """How to open the source, and what to do if it fails."""

    frame_id: str = param("camera", "optical frame of the pictures")
    width_px: int = param(0, "width requested from a webcam; 0: its default", unit="px", ge=0)
    height_px: int = param(0, "height requested from a webcam; 0: its default", unit="px", ge=0)
    fps: float = param(
        0.0, "frame rate requested from a webcam; 0: its default", unit="Hz", ge=0, le=1000
    )
    loop: bool = param(False, "restart a video file when it ends")
    open_s: float = param(10.0, "longest wait for the first frame", unit="s", gt=0, le=120)
    stall_s: float = param(
        2.0, "the source is reopened after this long without a frame", unit="s", gt=0, le=120
    )
    retry_s: float = param(0.5, "wait before reopening; doubles each time", unit="s", gt=0, le=60)
    retry_most_s: float = param(10.0, "longest wait before reopening", unit="s", gt=0, le=600)
    report_period_s: float = param(
        1.0, "time between reports on /diagnostics", unit="s", ge=0.1, le=60
    )
