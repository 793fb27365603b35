"""Parameters of a live source without a ROS driver: a webcam, a stream, a video file."""

from robot_vision.core.config import Params, param


class SourceConfig(Params):
    """How the source is opened, and what happens when it fails."""

    frame_id: str = param("camera", "optical frame of the pictures")
    width_px: int = param(0, "width that a webcam is asked for; 0: its own", unit="px", ge=0)
    height_px: int = param(0, "height that a webcam is asked for; 0: its own", unit="px", ge=0)
    fps: float = param(
        0.0, "rate that a webcam is asked for; 0: its own", unit="Hz", ge=0, le=1000
    )
    loop: bool = param(False, "begin a video file again when it ends")
    open_s: float = param(10.0, "longest wait for the first frame", unit="s", gt=0, le=120)
    stall_s: float = param(
        2.0, "without a frame for so long the source is opened anew", unit="s", gt=0, le=120
    )
    retry_s: float = param(
        0.5, "wait before it is opened again; twice as long each time", unit="s", gt=0, le=60
    )
    retry_most_s: float = param(10.0, "longest of these waits", unit="s", gt=0, le=600)
    report_period_s: float = param(
        1.0, "time between two reports on /diagnostics", unit="s", ge=0.1, le=60
    )
