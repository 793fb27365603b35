"""Runs a dataset through a policy: answers, latency, and comparison with a golden file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.groups.policy_config import PointingConfig
from robot_vision.core.timing import Percentiles
from robot_vision.datasets.meaning.checking.check import must_hold
from robot_vision.datasets.meaning.checking.finding import sampled
from robot_vision.datasets.open_dataset import open_dataset
from robot_vision.policies.guards.check import check_points
from robot_vision.policies.registry import BundledPolicy
from robot_vision.replay.judging.answers import Answers, answers_of
from robot_vision.replay.judging.episodes import meaning_of, misplaced, observations
from robot_vision.replay.judging.perceiving import perceiving_for, shown_to


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """Which episodes; none: all.

    `fps` and `meaning` are of sets that do not say it; without a file their numbers mean what
    those meant that the policy learnt from. A policy that takes something of perception is shown
    what the bundle `model` makes of the pictures of `camera`; empty: those that it learnt with.
    `words` are perception's parameters of a model that is asked by words, and `pointing` says
    whether what they name has a say in what the policy points at.
    """

    episodes: tuple[int, ...] = ()
    meaning: Path | None = None
    fps: float = 0.0
    model: str = ""
    camera: str = ""
    words: Mapping[str, Any] = field(default_factory=dict)
    pointing: PointingConfig = field(default_factory=PointingConfig)


_USUAL = JudgeOptions()


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Answers by episode, of the policy with an identity; `latency_s` has percentiles.

    `misplaced` lists, by episode, cameras whose pose differs from the policy's training.
    """

    policy_id: str
    identity: str
    episodes: dict[int, Answers]
    latency_s: dict[str, float]
    misplaced: dict[int, tuple[str, ...]]


def judge(dataset: Path, policy: BundledPolicy, options: JudgeOptions = _USUAL) -> Judged:
    """Run every row of the episodes through a policy.

    Raises `ConfigError` for a missing episode or perception, `DatasetError` for unreadable data,
    `MeaningError` if a foreign set contradicts its meaning, `BundleError` for a perception that
    cannot be loaded.
    """
    manifest, latency_s = policy.manifest, Percentiles()
    check_points(policy, options.pointing)
    perceiving = perceiving_for(
        manifest, model=options.model, camera=options.camera, words=options.words
    )
    opened, of = open_dataset(dataset, fps=options.fps), str(dataset)
    try:
        learnt = manifest.metrics.get("meaning")
        said = meaning_of(opened, options.meaning, of=of, learnt=learnt)
        # A set without actions cannot contradict them, and can be replayed as well.
        if opened.said_meaning is None and sampled(opened, most=1):
            must_hold(opened, said, of=of)
        chosen = options.episodes or tuple(range(len(opened.lengths)))
        missing = [n for n in chosen if not 0 <= n < len(opened.lengths)]
        if missing:
            raise ConfigError(f"no episode {missing[0]}: the set has {len(opened.lengths)}")
        answers = {
            number: answers_of(
                policy,
                observations(
                    opened,
                    number,
                    seen=shown_to(manifest),
                    meaning=said,
                    perceiving=perceiving,
                    pointing=options.pointing,
                    of=of,
                ),
                words=opened.instruction(number),
                latency_s=latency_s,
            )
            for number in chosen
        }
        strays = {
            number: misplaced(opened, number, mounts=manifest.camera_mounts, meaning=said, of=of)
            for number in chosen
        }
    finally:
        opened.close()
        if perceiving is not None:
            perceiving.pipeline.perceiver.close()
    return Judged(
        policy_id=manifest.policy_id,
        identity=manifest.identity,
        episodes=answers,
        latency_s=dict(latency_s.summary()),
        misplaced={number: words for number, words in strays.items() if words},
    )
