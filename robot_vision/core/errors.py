"""Errors that a user can act on: each gives the value, what was expected and what is available."""


class RobotVisionError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(RobotVisionError, ValueError):
    """A parameter, its value or a combination of them is not accepted."""


class UnknownNameError(RobotVisionError, KeyError):
    """A name looked up in a registry or a store is not there."""

    def __str__(self) -> str:
        return str(self.args[0])


class EncodingError(RobotVisionError, ValueError):
    """Image bytes do not fit their declared encoding, or the encoding is not supported."""


class FrameError(RobotVisionError, ValueError):
    """Arrays of a frame that was given from Python are not what the service takes."""


class CameraError(ConfigError):
    """A camera's calibration cannot be that of a lens."""


class ForeignFileError(RobotVisionError, ValueError):
    """A file that somebody else wrote names what it must not, or cannot be read within bounds."""


class BundleError(RobotVisionError, ValueError):
    """A model bundle is missing, damaged, or does not fit the format that it declares."""


class DeviceError(RobotVisionError, RuntimeError):
    """The compute device that was asked for is not available."""


class MissingDependencyError(RobotVisionError, ImportError):
    """An optional dependency is needed for what was asked; the message says how to install it."""


class CalibrationError(RobotVisionError, ValueError):
    """Pictures or views from which a calibration cannot be had, or would be wrong."""
