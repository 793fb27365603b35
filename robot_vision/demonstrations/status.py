"""`~/status/json` of the recorder: what it records, and what keeps it from recording."""

from collections.abc import Mapping
from dataclasses import dataclass

from robot_vision.core.files.json_form import JsonForm, Total


@dataclass(frozen=True, kw_only=True)
class RecorderStatus:
    """The state of the node `demonstrations`.

    `frames`, `stopped` (why recording ended early) and `notes` are of the open episode.
    `waiting` counts episodes that are not yet in the dataset, for the reason `why_waiting`.
    `missing` names topics that have not come yet, `unusable` counts messages by reason.
    """

    dataset: str
    episodes: Total
    recording: bool
    frames: Total
    stopped: str
    waiting: Total
    why_waiting: str
    instruction: str
    missing: tuple[str, ...]
    notes: Mapping[str, Total]
    unusable: Mapping[str, Total]


RECORDER_STATUS = JsonForm(RecorderStatus, what="the recorder's status")
