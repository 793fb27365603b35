"""Why the parts of a frame do not match, with the same wording live and in replay."""

from robot_vision.core.files.foreign import quoted
from robot_vision.core.types import Camera

OTHER_SIZE = "intrinsics of another size"
OTHER_FRAME = "depth in another frame"
INVALID = "intrinsics invalid"
ASSUMED = "intrinsics read"


def size_problem(camera: Camera, *, width_px: int, height_px: int) -> str:
    """Why intrinsics do not fit an image of this size; empty if they do."""
    if (camera.width_px, camera.height_px) == (width_px, height_px):
        return ""
    return (
        f"camera_info is for {camera.width_px}×{camera.height_px} px, "
        f"the image has {width_px}×{height_px}"
    )


def same_frame(one: str, other: str) -> bool:
    """Whether two names mean the same frame: ROS 1 names may start with a slash."""
    one, other = one.lstrip("/"), other.lstrip("/")
    return one == other or not one or not other


def frame_problem(*, rgb_frame: str, depth_frame: str) -> str:
    """Why depth is not aligned with colour, by the frames of their headers; empty if it is."""
    if same_frame(rgb_frame, depth_frame):
        return ""
    return (
        f"depth is in {quoted(depth_frame)}, colour in {quoted(rgb_frame)}: use the driver's "
        "depth topic that is aligned to colour"
    )
