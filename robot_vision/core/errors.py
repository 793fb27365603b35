"""Errors that a user can act on: each gives the value, what was expected and what is available."""


class RobotVisionError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(RobotVisionError, ValueError):
    """A parameter, its value or a combination of parameters is not accepted."""


class UnknownNameError(RobotVisionError, KeyError):
    """A name is not in the registry or store."""

    def __str__(self) -> str:
        return str(self.args[0])


class EncodingError(RobotVisionError, ValueError):
    """Image bytes do not fit their declared encoding, or the encoding is not supported."""


class FrameError(RobotVisionError, ValueError):
    """Arrays of a frame that was given from Python are not what the service takes."""


class CameraError(ConfigError):
    """A camera's calibration is not physically possible."""


class ForeignFileError(RobotVisionError, ValueError):
    """An untrusted file names a forbidden path, or cannot be read within limits."""


class BundleError(RobotVisionError, ValueError):
    """A model bundle is missing, damaged, or does not fit the format that it declares."""


class DeviceError(RobotVisionError, RuntimeError):
    """The requested compute device is not available."""


class WorkerError(RobotVisionError, RuntimeError):
    """A worker process was killed."""

    def __init__(self) -> None:
        super().__init__(
            "a worker process was killed, usually for lack of memory: finished work is kept; free "
            "memory, or use fewer processes, and run the command again"
        )


class MissingDependencyError(RobotVisionError, ImportError):
    """The request needs an optional dependency; the message says how to install it."""


class CalibrationError(RobotVisionError, ValueError):
    """Pictures or views that allow no calibration, or would give a wrong one."""
