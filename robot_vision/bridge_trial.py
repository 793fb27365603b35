"""Whether cv_bridge works here: tried in a child process, as it can crash its process.

cv_bridge's compiled part depends on the NumPy it was built with. With another NumPy its first
conversion is a segmentation fault, which no `except` catches.
"""

import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec

import numpy as np

# Only the doctor waits for it; imports are slow on a busy robot.
LIMIT_S = 60
ADVICE = (
    "on Ubuntu 22.04 and 24.04, whose cv_bridge is built for NumPy 1, pip install 'numpy<2' "
    "(constraints/<distribution>.txt); elsewhere the NumPy that came with ROS"
)
# The alarm ends the child wherever it hangs, even in C code, and whether or not anyone waits.
_PROGRAM = """
import signal, sys
signal.alarm(int(sys.argv[1]))
sys.path[:] = sys.argv[2:]
import numpy as np
from cv_bridge import CvBridge
from sensor_msgs.msg import Image
bgr = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
message = Image(height=2, width=2, step=6, encoding="bgr8", data=bgr.tobytes())
rgb = CvBridge().imgmsg_to_cv2(message, desired_encoding="rgb8")
if not np.array_equal(rgb, bgr[..., ::-1]):
    sys.exit("it converts bgr8 to rgb8 wrongly")
"""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`problem` says why cv_bridge must not be imported; empty if it works."""

    problem: str = ""

    @property
    def is_usable(self) -> bool:
        return not self.problem


def is_installed() -> bool:
    """Whether cv_bridge is installed, without importing it."""
    return find_spec("cv_bridge") is not None


class BridgeTrial:
    """A child process that converts an image with cv_bridge, started at construction."""

    def __init__(self, *, limit_s: int = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._child = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(limit_s), *sys.path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def poll(self) -> Verdict | None:
        """The verdict; None while the child is running."""
        return None if self._child.poll() is None else self._verdict

    def wait(self) -> Verdict:
        """Wait for the verdict, at most about `limit_s`."""
        return self._verdict

    @cached_property
    def _verdict(self) -> Verdict:
        _, said = self._child.communicate()
        status, last_line = self._child.returncode, said.strip().rpartition("\n")[2]
        if status == 0:
            return Verdict()
        if status == -signal.SIGALRM:
            return Verdict(problem=f"cv_bridge did not convert an image within {self._limit_s} s")
        if status < 0:
            return Verdict(
                problem=f"cv_bridge crashes its process with {signal.Signals(-status).name}, "
                f"as it is built for another NumPy than {np.__version__}"
            )
        return Verdict(problem=f"cv_bridge cannot be used: {last_line or f'status {status}'}")
