"""A dataset through a policy: answers, latency, and the verdict of a golden file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robot_vision.core.errors import ConfigError
from robot_vision.core.timing import Percentiles
from robot_vision.datasets.open_dataset import open_dataset
from robot_vision.policies.registry import BundledPolicy, load_policy
from robot_vision.replay.judging.answers import Answers, answers_of
from robot_vision.replay.judging.episodes import meaning_of, observations


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Answers by episode, of the policy of an identity; `latency_s` has percentiles."""

    policy_id: str
    identity: str
    episodes: dict[int, Answers]
    latency_s: dict[str, float]


def load_judged(name: str) -> BundledPolicy:
    """A policy by name or folder; raises `ConfigError` for one that sees more than pictures,
    `BundleError` if it cannot be loaded."""
    policy = load_policy(name, threads=1)
    seen = policy.manifest.observation
    if seen is None or seen.perception or not seen.cameras:
        raise ConfigError(
            f"{policy.manifest.policy_id} decides by what perception finds: replay judges "
            "policies from pictures, state and words alone"
        )
    return policy


def judge(
    dataset: Path,
    policy: BundledPolicy,
    *,
    episodes: Sequence[int] = (),
    meaning: Path | None = None,
    fps: float = 0.0,
) -> Judged:
    """Every row of the episodes (all if none are named) through a policy from pixels.

    Raises `ConfigError` for an episode or a camera that is missing, `DatasetError` for what
    cannot be read.
    """
    manifest, latency_s = policy.manifest, Percentiles()
    seen = manifest.observation
    assert seen is not None
    opened = open_dataset(dataset, fps=fps)
    try:
        said = meaning_of(opened, meaning, of=str(dataset))
        chosen = tuple(episodes) or tuple(range(len(opened.lengths)))
        missing = [n for n in chosen if not 0 <= n < len(opened.lengths)]
        if missing:
            raise ConfigError(f"no episode {missing[0]}: the set has {len(opened.lengths)}")
        answers = {
            number: answers_of(
                policy,
                observations(opened, number, seen=seen, meaning=said),
                words=opened.instruction(number),
                latency_s=latency_s,
            )
            for number in chosen
        }
    finally:
        opened.close()
    return Judged(
        policy_id=manifest.policy_id,
        identity=manifest.identity,
        episodes=answers,
        latency_s=dict(latency_s.summary()),
    )
