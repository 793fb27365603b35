"""The middleware's profile, with shared memory that is large enough for camera frames.

Fast DDS's default segment (0.5 MB) is smaller than one image, so that most frames are lost.
"""

import os
from pathlib import Path

# Fast DDS 2 (Humble, Jazzy) knows the first alone, Fast DDS 3 (Kilted and later) wants the second.
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
PROFILE_FILE = Path("config/fastdds_shm.xml")


def shared_file(relative: Path) -> Path | None:
    """A file of the project's `config/` or `launch/`, in a source tree or installed.

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
    chosen = [os.environ[name] for name in PROFILE_VARIABLES if name in os.environ]
    if not chosen:
        path = shared_file(PROFILE_FILE)
        chosen = [str(path)] if path is not None else []
    for name in PROFILE_VARIABLES if chosen else ():
        os.environ.setdefault(name, chosen[0])
    return chosen[0] if chosen else ""
