"""Parameters of tracking."""

from robot_vision.core.parameters.params import Params, Uptake, param


class TrackerConfig(Params):
    """Tracking in seconds and evidence, never in frames. Support and evidence are in nats."""

    uptake = Uptake.CONFIGURE

    name: str = param("robot_vision", "tracker in the registry")
    camera_motion: bool = param(
        False, "estimate camera motion from the image (sparse optical flow)"
    )
    high_score: float = param(
        0.5, "detections from this score on are matched first and may begin tracks", ge=0, le=1
    )
    low_score: float = param(0.1, "detections below this score are ignored", ge=0, le=1)

    birth_evidence: float = param(
        0.8, "log-odds of a detection from which on it begins a track", unit="nat", ge=-10, le=10
    )
    confirm_evidence: float = param(
        1.8, "log-odds at which a track is confirmed", unit="nat", ge=-10, le=100
    )
    overlap_penalty: float = param(
        3.7, "log-odds that a detection on top of a track loses as a new one", unit="nat", ge=0
    )
    coast_s: float = param(
        2.5, "a confirmed track ends after so long without a detection", unit="s", gt=0, le=600
    )
    tentative_s: float = param(
        0.3, "a tentative track ends after so long without a detection", unit="s", ge=0, le=60
    )

    prior: float = param(
        4.0, "support of a pair before anything is compared, in image or space", unit="nat"
    )
    tail: float = param(4.0, "heaviness of the tails of errors: degrees of freedom", gt=0)
    class_penalty: float = param(3.0, "support lost when classes differ", unit="nat", ge=0)
    appearance_limit: float = param(4.0, "most that looks may say", unit="nat", ge=0)
    depth_weight: float = param(0.5, "share of the distance in space in the support", ge=0)
    loss_rate: float = param(1.5, "support lost per second unseen", unit="nat/s", ge=0)
    stop_penalty: float = param(
        2.0, "support lost by the guess that an unseen object stayed", unit="nat", ge=0
    )
    stop_drift: float = param(
        0.5, "wander of an object that stayed, per box size", unit="1/s^0.5", gt=0
    )
    low_penalty: float = param(2.0, "support lost by unsure detections", unit="nat", ge=0)

    box_noise: float = param(
        0.045, "standard deviation of a box's edge, per box size, until learnt", ge=0.001, le=1
    )
    box_speed: float = param(
        1.5, "standard deviation of speeds at first, per box size", unit="1/s", gt=0, le=100
    )
    box_acceleration: float = param(
        1.4, "white acceleration of boxes, per box size", unit="1/s^1.5", gt=0, le=100
    )
    size_share: float = param(0.4, "changes of size, as a share of those of place", gt=0, le=1)
    box_damping_per_s: float = param(0.2, "decay of the speed of centres", unit="1/s", ge=0)
    size_damping_per_s: float = param(6.0, "decay of the speed of sizes", unit="1/s", ge=0)
    unrest_limit: float = param(
        8.0, "most that common surprise, as from a shaken camera, raises the acceleration", ge=1
    )
    replay_after_s: float = param(
        0.5, "gap after which a box is led again to where it is found", unit="s", ge=0, le=60
    )
    point_speed_mps: float = param(
        1.0, "standard deviation of speeds in space at first", unit="m/s", gt=0, le=100
    )
    point_acceleration: float = param(
        0.15, "white acceleration in space", unit="m/s^1.5", gt=0, le=100
    )
    class_memory: float = param(5.0, "largest lead of a class in the vote of scores", gt=0)
    blend: float = param(0.1, "share of a new size or look in the mean", gt=0, le=1)
