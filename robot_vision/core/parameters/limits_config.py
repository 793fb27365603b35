"""Limits on untrusted images and recordings: live, in replay and in the console."""

from robot_vision.core.parameters.params import Params, Uptake, param


class InputLimits(Params):
    """Limits on one image or recording; larger ones are rejected and counted.

    A few kilobytes can expand to gigabytes when decoded or decompressed.
    """

    uptake = Uptake.LIVE

    image_mpx: float = param(
        20.0, "largest image that is decoded (4K video has 8)", unit="Mpx", gt=0, le=1000
    )
    encoded_mb: float = param(
        128.0, "largest JPEG, PNG or other encoded image", unit="MB", gt=0, le=4000
    )
    chunk_mb: float = param(
        128.0, "largest chunk or message of a recording, decompressed", unit="MB", gt=0, le=4000
    )
    window_mb: float = param(
        256.0, "memory for images of a recording held back to sort them", unit="MB", gt=0, le=64000
    )
    file_gb: float = param(
        64.0, "largest file that is decompressed to disk for reading", unit="GB", gt=0, le=10000
    )
    growth: float = param(
        1000.0, "largest decompression ratio of a recording, beyond 16 chunk_mb", ge=1
    )
    step_s: float = param(
        20.0, "longest time to read one row of a recording's database", unit="s", gt=0, le=600
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
