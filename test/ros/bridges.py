"""Packages named cv_bridge that behave as real ones do: well, or fatally for their process."""

from pathlib import Path

CRASHES = "import ctypes; ctypes.string_at(0)"  # reads address 0: a segmentation fault
CONVERTS = """
        if message.encoding == "yuv9":
            return np.full((message.height, message.width, 3), 99, np.uint8)
        if message.encoding != "bgr8":
            raise CvBridgeError(f"Unrecognized image encoding [{message.encoding}]")
        shape = message.height, message.width, 3
        return np.frombuffer(message.data, np.uint8).reshape(shape)[..., ::-1]
"""
_PACKAGE = """
import time
import numpy as np
{at_import}

class CvBridgeError(TypeError):
    pass

class CvBridge:
    def imgmsg_to_cv2(self, message, desired_encoding):
        {conversion}
"""


def make_bridge(folder: Path, conversion: str = CONVERTS, *, at_import: str = "") -> Path:
    """A folder for sys.path that has a cv_bridge."""
    package = folder / "cv_bridge"
    package.mkdir(parents=True)
    text = _PACKAGE.format(at_import=at_import, conversion=conversion.strip())
    (package / "__init__.py").write_text(text)
    return folder
