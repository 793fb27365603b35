"""Most that strangers' images and recordings may cost: live, in replay and in the console."""

from robot_vision.core.params import Params, Uptake, param


class InputLimits(Params):
    """Most that one image or recording may cost; what is larger is refused and counted.

    A few kilobytes can stand for gigabytes once they are decoded or unpacked.
    """

    uptake = Uptake.LIVE

    image_mpx: float = param(
        20.0, "largest image that is decoded (4K video has 8)", unit="Mpx", gt=0, le=1000
    )
    encoded_mb: float = param(
        128.0, "largest JPEG, PNG or other encoded image", unit="MB", gt=0, le=4000
    )
    chunk_mb: float = param(
        128.0, "largest chunk or message of a recording, unpacked", unit="MB", gt=0, le=4000
    )
    window_mb: float = param(
        256.0, "images of a recording held to put them in order", unit="MB", gt=0, le=64000
    )
    file_gb: float = param(
        64.0, "largest file that is unpacked to disk to be read", unit="GB", gt=0, le=10000
    )
    growth: float = param(
        1000.0, "most that a recording may unpack to, per byte of it, beyond 16 chunk_mb", ge=1
    )
    step_s: float = param(
        20.0, "longest time for one row of a recording's database", unit="s", gt=0, le=600
    )

    @property
    def image_px(self) -> float:
        return self.image_mpx * 1e6

    @property
    def encoded_bytes(self) -> int:
        return round(self.encoded_mb * 1e6)

    @property
    def chunk_bytes(self) -> int:
        return round(self.chunk_mb * 1e6)

    @property
    def file_bytes(self) -> int:
        return round(self.file_gb * 1e9)

    @property
    def window_bytes(self) -> int:
        return round(self.window_mb * 1e6)


DEFAULT_LIMITS = InputLimits()
