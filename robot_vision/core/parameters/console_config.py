"""Parameters of the console: where it listens, and its limits."""

from typing import Literal

from robot_vision.core.parameters.config import Params, param


class LimitsConfig(Params):
    """Limits on client requests; beyond them clients get an error that names the limit."""

    viewers: int = param(256, "simultaneous clients of the stream", ge=1, le=10000)
    connections: int = param(
        512,
        "simultaneous connections; beyond, the oldest one without the token is closed",
        ge=1,
        le=100000,
    )
    connections_per_address: int = param(
        256, "of these, connections without the token from one address", ge=1, le=100000
    )
    requests_hz: float = param(50.0, "requests per client address", unit="Hz", gt=0, le=1e6)
    analyses_hz: float = param(2.0, "analyses per client address", unit="Hz", gt=0, le=1e6)
    messages_hz: float = param(20.0, "messages from a stream client", unit="Hz", gt=0, le=1e6)
    message_kb: float = param(
        16.0, "size of such a message, and of all messages in a second", unit="kB", ge=1, le=1000
    )
    logins_hz: float = param(0.5, "wrong tokens per client address", unit="Hz", gt=0, le=1e6)
    waiting_analyses: int = param(4, "queued analyses", ge=0, le=100)
    upload_mb: float = param(24.0, "size of an analysis request", unit="MB", gt=0, le=1000)
    uploads: int = param(8, "analysis requests received at the same time", ge=1, le=1000)
    picture_px: int = param(4096, "width and height of a picture", unit="px", ge=16, le=16384)
    picture_s: float = param(3.0, "time to decode a picture", unit="s", gt=0, le=600)
    video_s: float = param(20.0, "length of a video", unit="s", gt=0, le=600)
    video_decode_s: float = param(30.0, "time to decode a video", unit="s", gt=0, le=600)
    video_frames: int = param(
        32, "frames of a video that are analysed, evenly spaced", ge=1, le=1000
    )
    kept_mb: float = param(64.0, "images of analyses kept for download", unit="MB", gt=0)
    head_s: float = param(
        10.0,
        "time to receive a request without its body; then the connection is closed",
        unit="s",
        gt=0,
        le=600,
    )
    body_s: float = param(30.0, "time to receive the body of a request", unit="s", gt=0, le=600)
    send_s: float = param(
        10.0, "a client that reads nothing for this long is disconnected", unit="s", gt=0
    )


class WhyConfig(Params):
    """The page that shows what a model looks at; a child process computes it."""

    limit_s: float = param(90.0, "time to explain a picture", unit="s", gt=0, le=600)
    gap_s: float = param(1.0, "shortest time between two pictures", unit="s", ge=0, le=600)
    idle_s: float = param(
        120.0, "the process ends after this long without a picture", unit="s", gt=0, le=86400
    )


class ConsoleConfig(Params):
    """The web page and the API."""

    host: str = param("127.0.0.1", "address to listen on; any but loopback needs a token")
    port: int = param(8088, "TCP port; 0: a free one", ge=0, le=65535)
    token: str = param(
        "", "token that clients must send; empty: none on loopback, else a random one"
    )
    token_file: str = param("", "file whose first line is the token, instead of `token`")
    allowed_hosts: list[str] = param(
        [], "additional host names under which browsers reach this host"
    )
    no_camera_after_s: float = param(
        0.5,
        "after this long (or three frame periods) without a frame the page reports it",
        unit="s",
        gt=0,
        le=60,
    )
    frame_width_px: int = param(
        640, "largest width of frames sent to browsers", unit="px", ge=64, le=8192
    )
    jpeg_quality: int = param(80, "JPEG quality of the frames sent", ge=10, le=100)
    index: str = param("", "folder of an index of similar frames; empty: no search")
    multimodal: str = param(
        "", "output folder of `robot-vision bench multimodal`; empty: its page stays empty"
    )
    segment_model: str = param(
        "",
        "bundle that segments pictures by prompts; empty: the one that perception uses in "
        "the same process",
    )
    limits: LimitsConfig = LimitsConfig()
    why: WhyConfig = WhyConfig()


class ConsoleNodeConfig(ConsoleConfig):
    """The console as a ROS 2 node."""

    perception: str = param("perception", "name of the perception node whose topics are shown")
    policy_node: str = param("policy", "name of the policy node that is shown and controlled")
    rgb_transport: Literal["raw", "compressed"] = param(
        "raw",
        "when the console runs as a separate process: raw: Image on rgb; compressed: "
        "CompressedImage on rgb/compressed",
    )
    model: str = param(
        "native-s",
        "bundle that analyses clients' pictures, when the console runs as a separate process",
    )
