"""Parameters of `robot-vision soak`: how it draws faults, and its criteria."""

from robot_vision.core.parameters.config import Params, param


class SoakConfig(Params):
    """Tolerances suit a busy machine; the arm's limits are the policy's parameters."""

    least_pause_s: float = param(1.0, "shortest pause between two faults", unit="s", gt=0, le=600)
    most_pause_s: float = param(3.0, "longest pause between two faults", unit="s", gt=0, le=600)
    recover_s: float = param(
        10.0, "commands resume this long after a fault at the latest", unit="s", gt=0, le=600
    )
    task_s: float = param(15.0, "time between changes of scene and task", unit="s", gt=0, le=600)
    transport_s: float = param(
        0.1, "longest time of a message from publisher to callback", unit="s", gt=0, le=5
    )
    share: float = param(0.05, "share by which limits may be exceeded", ge=0, le=1)
    margin_m: float = param(
        0.05, "commands may start this far outside the workspace", unit="m", ge=0, le=1
    )
    start_m: float = param(
        0.05, "largest distance of the first command from the true tool", unit="m", gt=0, le=1
    )
    still_m: float = param(0.001, "an arm at rest moves less than this", unit="m", gt=0, le=0.1)
    origin_m: float = param(
        0.1, "commands nearer to the base's origin count as zeros", unit="m", gt=0, le=1
    )
    least_command_hz: float = param(
        50.0, "fewest commands in every second while enabled", unit="Hz", gt=0, le=1000
    )
    most_gap_s: float = param(
        0.5, "longest time without a command while enabled", unit="s", gt=0, le=60
    )
    most_lost_frames: int = param(
        3, "frames without a result or counted cause that may still be in progress", ge=0, le=100
    )
    diagnostics_s: float = param(
        5.0, "longest time without /diagnostics of a node", unit="s", gt=0, le=60
    )
    console_s: float = param(
        1.0, "longest time for the console to answer /api/state", unit="s", gt=0, le=60
    )
    hold_s: float = param(
        2.0, "longest time for the console's hold to stop the stream", unit="s", gt=0, le=60
    )
    sample_s: float = param(2.0, "time between checks of the processes", unit="s", gt=0, le=600)
    warm_up_s: float = param(
        600.0, "memory is judged by its slope after this time", unit="s", ge=0, le=36000
    )
    slope_span_s: float = param(
        1200.0,
        "shortest run in which slopes are judged; in a shorter one, growth is",
        unit="s",
        gt=0,
    )
    slope_mb_per_h: float = param(
        1.0, "largest slope of a process's private memory", unit="MB/h", gt=0
    )
    growth_mb: float = param(
        80.0, "largest growth of private memory in a run too short for a slope", unit="MB", gt=0
    )
    segments: int = param(2, "largest growth of mapped shared-memory segments", ge=0)
    children: int = param(1, "largest growth in the number of child processes", ge=0)
    threads: int = param(5, "largest growth in the number of threads", ge=0)
    files: int = param(10, "largest growth in the number of open files", ge=0)
