"""Every track in every frame: a row each."""

from collections.abc import Iterator

from robot_vision.core.results.objects import class_name
from robot_vision.core.types import TrackState
from robot_vision.replay.running.runner import Processed
from robot_vision.replay.writing.tables import Row

COLUMNS = {
    "frame": int,
    "stamp_ns": int,
    "track_id": int,
    "class": str,
    "state": str,
    "score": float,
    "left_px": float,
    "top_px": float,
    "right_px": float,
    "bottom_px": float,
    "x_m": float,
    "y_m": float,
    "z_m": float,
    "vx_mps": float,
    "vy_mps": float,
    "vz_mps": float,
    "size_x_m": float,
    "size_y_m": float,
    "size_z_m": float,
    "age_s": float,
    "unseen_s": float,
}


def track_rows(done: Processed) -> Iterator[Row]:
    """The rows of a frame, in the order of `COLUMNS`."""
    tracks = done.perception.tracks
    for row, track_id in enumerate(tracks.track_id.tolist()):
        yield (
            done.number,
            tracks.stamp_ns,
            track_id,
            class_name(done.perception.class_names, int(tracks.class_id[row])),
            TrackState(int(tracks.state[row])).name.lower(),
            round(float(tracks.score[row]), 5),
            *(round(v, 3) for v in tracks.box_xyxy_px[row].tolist()),
            *(round(v, 5) for v in tracks.position_in_camera_m[row].tolist()),
            *(round(v, 5) for v in tracks.velocity_in_camera_mps[row].tolist()),
            *(round(v, 5) for v in tracks.size_m[row].tolist()),
            round(float(tracks.age_s[row]), 4),
            round(float(tracks.unseen_s[row]), 4),
        )
