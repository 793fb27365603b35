"""Parameters of `robot-vision soak`: how it draws faults, and by what it judges."""

from robot_vision.core.config import Params, param


class SoakConfig(Params):
    """Tolerances are for a busy machine; the arm's limits are the policy's parameters."""

    least_pause_s: float = param(1.0, "shortest pause between two faults", unit="s", gt=0, le=600)
    most_pause_s: float = param(3.0, "longest pause between two faults", unit="s", gt=0, le=600)
    recover_s: float = param(
        10.0, "commands follow again so long after a fault at the latest", unit="s", gt=0, le=600
    )
    task_s: float = param(15.0, "another scene and task after so long", unit="s", gt=0, le=600)
    transport_s: float = param(
        0.1, "a message may take so long from publisher to callback", unit="s", gt=0, le=5
    )
    share: float = param(0.05, "limits may be exceeded by this share", ge=0, le=1)
    margin_m: float = param(
        0.05, "commands may begin so far outside the workspace", unit="m", ge=0, le=1
    )
    start_m: float = param(
        0.05, "commands begin so near the true tool at least", unit="m", gt=0, le=1
    )
    still_m: float = param(0.001, "an arm that stands moves less", unit="m", gt=0, le=0.1)
    origin_m: float = param(
        0.1, "commands nearer to the base's origin are zeros", unit="m", gt=0, le=1
    )
    least_command_hz: float = param(
        50.0, "commands in every second while enabled, at least", unit="Hz", gt=0, le=1000
    )
    most_gap_s: float = param(
        0.5, "longest time without a command while enabled", unit="s", gt=0, le=60
    )
    most_lost_frames: int = param(
        3, "frames without result and counted cause, that may be under way", ge=0, le=100
    )
    diagnostics_s: float = param(
        5.0, "longest time without /diagnostics of a node", unit="s", gt=0, le=60
    )
    console_s: float = param(1.0, "the console answers /api/state within", unit="s", gt=0, le=60)
    hold_s: float = param(2.0, "the console's hold stops the stream within", unit="s", gt=0, le=60)
    sample_s: float = param(2.0, "time between two looks at the processes", unit="s", gt=0, le=600)
    warm_up_s: float = param(
        600.0, "memory is judged by its slope after so long", unit="s", ge=0, le=36000
    )
    slope_span_s: float = param(
        1200.0, "a slope is judged over so long at least; else the growth", unit="s", gt=0
    )
    slope_mb_per_h: float = param(
        1.0, "largest slope of a process's private memory", unit="MB/h", gt=0
    )
    growth_mb: float = param(
        80.0, "most growth of it in a run too short for a slope", unit="MB", gt=0
    )
    segments: int = param(2, "most growth of mapped shared-memory segments", ge=0)
    children: int = param(1, "most growth of child processes", ge=0)
    threads: int = param(5, "most growth of threads", ge=0)
    files: int = param(10, "most growth of open files", ge=0)
