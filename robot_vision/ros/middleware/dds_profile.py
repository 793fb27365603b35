"""The middleware's profile: camera frames through shared memory that is large enough for them.

Fast DDS's default segment (0.5 MB) is smaller than one image, which loses most of the frames.
"""

import os
from pathlib import Path

PROFILE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"
PROFILE_FILE = Path("config/fastdds_shm.xml")


def shared_file(relative: Path) -> Path | None:
    """A file of the project's `config/` or `launch/`, in a source tree or as it was installed.

    Beside the package in a source tree; under `<prefix>/share/robot_vision` after pip or colcon.
    """
    for folder in Path(__file__).resolve().parents[1:]:
        for path in (folder / relative, folder / "share" / "robot_vision" / relative):
            if path.is_file():
                return path
    return None


def use_shared_memory_profile() -> str:
    """Set Fast DDS's profile unless the user set one; returns the file in use ("" if none).

    Must run before `rclpy.init`.
    """
    if PROFILE_VARIABLE not in os.environ:
        path = shared_file(PROFILE_FILE)
        if path is not None:
            os.environ[PROFILE_VARIABLE] = str(path)
    return os.environ.get(PROFILE_VARIABLE, "")
