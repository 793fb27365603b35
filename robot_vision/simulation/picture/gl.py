"""Headless OpenGL for MuJoCo, chosen before `mujoco` is first imported.

Every other file of this package imports `mujoco` from here, so that the choice comes first.
"""

import ctypes
import os
from typing import Any, TypeAlias

from robot_vision.core.errors import MissingDependencyError

APT_LINE = "apt-get install -y libegl1 libosmesa6 libgl1 libgl1-mesa-dri libgles2"


def _has_egl_device() -> bool:
    """Whether EGL loads and offers a device to render on without a display."""
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return False
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    if not address:
        return False
    query = ctypes.CFUNCTYPE(
        ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)
    )(address)
    count = ctypes.c_int(0)
    return bool(query(0, None, ctypes.byref(count))) and count.value > 0


def _has_osmesa() -> bool:
    for name in ("libOSMesa.so", "libOSMesa.so.8", "libOSMesa.so.6"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def choose_backend() -> str:
    """`MUJOCO_GL` if set, else `egl` if it has a device, else `osmesa`.

    Raises `MissingDependencyError` saying what to install if neither works.
    """
    chosen = os.environ.get("MUJOCO_GL", "")
    if chosen:
        return chosen
    if _has_egl_device():
        return "egl"
    if _has_osmesa():
        return "osmesa"
    raise MissingDependencyError(
        "rendering scenes needs headless OpenGL: neither EGL (libEGL.so.1 with a device) nor "
        f"OSMesa (libOSMesa.so) was found; on Debian or Ubuntu: {APT_LINE}"
    )


def _load_mujoco() -> Any:
    os.environ["MUJOCO_GL"] = choose_backend()
    try:
        import mujoco
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        raise MissingDependencyError(
            f"scenes need MuJoCo and headless OpenGL, which do not load ({error}): "
            f"pip install 'robot_vision[sim]'; on Debian or Ubuntu also: {APT_LINE}; "
            "MUJOCO_GL=egl or MUJOCO_GL=osmesa chooses one of the two"
        ) from error
    return mujoco


# MuJoCo is compiled and brings no type stubs, hence Any
mujoco: Any = _load_mujoco()
MjModel: TypeAlias = Any
MjData: TypeAlias = Any
MjSpec: TypeAlias = Any
