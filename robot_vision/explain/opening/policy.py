"""A policy from pixels, explained at a moment of recorded episodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from robot_vision.core.cameras.placement import place
from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.explain.asking import ask_of
from robot_vision.explain.heat import ExplainError
from robot_vision.explain.network.attention_tap import some_attention, watched
from robot_vision.explain.network.tokens import picture_tokens, word_tokens
from robot_vision.explain.opening.subject import Subject, subject_of
from robot_vision.explain.question import Question
from robot_vision.model_store.policies import POLICY_FILE, find_policy
from robot_vision.model_store.store import stored_folders
from robot_vision.models.policies.pixel_spec import PixelPolicySpec
from robot_vision.models.policies.pixels import PixelPolicy
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import Weights, read_weights
from robot_vision.policies.language.sentences import SentenceEncoder, bundled_encoder
from robot_vision.training.data.demonstrations.options import (
    DemonstrationOptions,
    PerceptionOptions,
)
from robot_vision.training.data.demonstrations.sentences import loaded_sentences, spoken_of
from robot_vision.training.data.demonstrations.sets import all_episodes
from robot_vision.training.data.judging.judged import Judged, judged_by
from robot_vision.training.data.judging.travels import DemonstrationTravels, read_travels
from robot_vision.training.engine.recipes.recipe_file import load_recipe
from robot_vision.training.engine.run import RECIPE, weights_file

_POLICY = "pixel-policy"


@dataclass(frozen=True, kw_only=True, eq=False)
class Moment:
    """A policy's inputs at one moment; `words` are those of the instruction, in order."""

    subject: Subject
    inputs: Mapping[str, Tensor]
    words: tuple[str, ...]

    def asked(
        self, target: str = "", *, camera: str = "", word: str = "", layer: str = ""
    ) -> Question:
        """The question why it acts so, about the picture of a camera (by default the first).

        For attention, `word` is the one whose attention is shown.
        """
        spec = self.subject.spec
        assert isinstance(spec, PixelPolicySpec)
        names = [one.name for one in spec.observation.cameras]
        if not names or (camera and camera not in names):
            known = ", ".join(names) or "none"
            raise ConfigError(f"camera {camera!r}: the policy has {known}")
        subject = _in_camera(self.subject, camera or names[0])
        image = subject.image
        whole = place(image, width_px=image.width_px, height_px=image.height_px)
        question = ask_of(subject, self.inputs, image.name, whole, target, layer=layer)
        if not word:
            return question
        if word not in self.words:
            raise ConfigError(f"word {word!r}: expected one of {' '.join(self.words) or 'none'!r}")
        return replace(question, word=word, word_row=self.words.index(word))

    def rgb(self, question: Question) -> UInt8[np.ndarray, "h w 3"]:
        """The picture that is explained."""
        return self.inputs[question.picture][0, -1].numpy()


@dataclass(frozen=True, kw_only=True, eq=False)
class PolicyEpisodes:
    """A policy, and the episodes of a set as its inputs."""

    subject: Subject
    travels: DemonstrationTravels
    judged: Judged

    @property
    def rows(self) -> Int64[np.ndarray, " r"]:
        """Moments with a taught action, as rows of the set."""
        return self.judged.episodes.rows

    def moment(self, number: int) -> Moment:
        """The inputs at the `number`-th of `rows`."""
        found = self.judged.inputs(self.rows[[number]])
        inputs = {name: torch.from_numpy(np.ascontiguousarray(v)) for name, v in found.items()}
        return Moment(subject=self.subject, inputs=inputs, words=_words(inputs, self.travels))


def is_policy(name: str) -> bool:
    """Whether it is a run of task `demonstrations`, or a policy's bundle."""
    folder = Path(name)
    if (folder / RECIPE).is_file():
        return load_recipe(folder / RECIPE).task == "demonstrations"
    return name in stored_folders(POLICY_FILE) or (folder / POLICY_FILE).is_file()


def open_policy_episodes(name: str, dataset: str, *, cache_dir: str = "") -> PolicyEpisodes:
    """A run of task `demonstrations`, or a bundle of kind `pixels`, along a set of episodes.

    `cache_dir` is for decoded pictures, in place of the recipe's. Raises `ConfigError` or
    `BundleError` if it is neither.
    """
    subject, travels = _opened(name)
    options = _options_of(Path(name), travels)
    if cache_dir:
        options = options.model_copy(update={"cache_dir": cache_dir})
    episodes = all_episodes(Path(dataset), options, travels.meaning or None)
    spoken = spoken_of(
        episodes.source.instructions,
        travels,
        _sentence_encoder(name, travels, options),
        cache_dir=options.cache_dir,
    )
    return PolicyEpisodes(
        subject=subject,
        travels=travels,
        judged=judged_by(episodes, travels, period_s=options.moments.period_s, spoken=spoken),
    )


def open_policy(name: str) -> Subject:
    """The network of a run or of a bundle; raises `ConfigError` if it is not one from pixels."""
    return _opened(name)[0]


def _opened(name: str) -> tuple[Subject, DemonstrationTravels]:
    weights = read_weights(weights_file(name))
    if weights.model != _POLICY:
        raise ConfigError(
            f"{name} is not a policy from pixels but {weights.model!r}: expected a run of task "
            f"'demonstrations' with model {_POLICY!r}, or a bundle that it was exported to"
        )
    travels = read_travels(weights.travels)
    return policy_subject(name, weights, travels), travels


def open_moment(name: str, dataset: str, *, row: int, cache_dir: str = "") -> Moment:
    """The `row`-th moment of a set; raises `ConfigError` if there is none."""
    opened = open_policy_episodes(name, dataset, cache_dir=cache_dir)
    if not 0 <= row < len(opened.rows):
        raise ConfigError(f"row {row}: {dataset} has {len(opened.rows)}, from 0")
    return opened.moment(row)


def policy_subject(name: str, weights: Weights, travels: DemonstrationTravels) -> Subject:
    """A policy's network; its classes are the names of an action's numbers."""
    subject = subject_of(name, MODELS.get(_POLICY), weights, _image_of)
    return replace(
        _in_camera(subject, subject.image.name.removeprefix("rgb_")), classes=travels.action_names
    )


def _in_camera(subject: Subject, camera: str) -> Subject:
    """The policy as a model of that camera's picture."""
    policy = subject.model
    assert isinstance(policy, PixelPolicy)
    return replace(
        subject,
        image=camera_image(policy.spec, camera),
        margin_px=policy.sight.margin_px(camera),
    )


def _options_of(folder: Path, travels: DemonstrationTravels) -> DemonstrationOptions:
    """From a run's recipe, or from the data stored with a bundle's weights."""
    if (folder / RECIPE).is_file():
        options = load_recipe(folder / RECIPE).options
        assert isinstance(options, DemonstrationOptions)
        return options
    said = travels.perception
    perception = PerceptionOptions()
    if said is not None:
        model = said.model_id.rpartition("@")[0]
        perception = PerceptionOptions(model=model, camera=said.camera, parameters=said.parameters)
    return DemonstrationOptions(
        observation=travels.observation, horizon=travels.horizon, perception=perception
    )


def _sentence_encoder(
    name: str, travels: DemonstrationTravels, options: DemonstrationOptions
) -> SentenceEncoder | None:
    if travels.sentences is None:
        return None
    if (Path(name) / RECIPE).is_file():
        loaded = loaded_sentences(options)
        return None if loaded is None else loaded.encoder
    return bundled_encoder(find_policy(name))


def _image_of(spec: PixelPolicySpec) -> ModelInput:
    if not spec.observation.cameras:
        raise ExplainError("the policy has no pictures to explain")
    return camera_image(spec, spec.observation.cameras[0].name)


def camera_image(spec: PixelPolicySpec, camera: str) -> ModelInput:
    """A camera's pictures as the network's input."""
    (known,) = (one for one in spec.observation.cameras if one.name == camera)
    return ModelInput(
        name=f"rgb_{camera}",
        width_px=known.width_px,
        height_px=known.height_px,
        resize="stretch",
        dtype="uint8",
        layout="nhwc",
        depth_name=f"depth_{camera}" if known.has_depth else "",
        focal_name="",
        size_name="",
    )


def _words(inputs: Mapping[str, Tensor], travels: DemonstrationTravels) -> tuple[str, ...]:
    """From the vocabulary; tokens of a sentence encoder are only numbered."""
    if "tokens" in inputs and travels.vocabulary is not None:
        known = travels.vocabulary.words
        return tuple(known[int(one) - 1] for one in inputs["tokens"][0] if int(one) > 0)
    if "text_seen" in inputs:
        return tuple(f"token {row}" for row in range(int(inputs["text_seen"][0].sum())))
    return ()


@torch.no_grad()
def word_weights(question: Question, words: Sequence[str]) -> list[tuple[str, float]]:
    """How much the picture's places attend to each word, in the last layer where they can."""
    layout, first = word_tokens(question)
    asking = picture_tokens(question)
    with watched(question.subject.network(wanted_for="attention")) as found:
        question.subject.run(question.inputs)
    looks = [
        one
        for one in some_attention(found, question.subject.name)
        if tuple(one.weights.shape[2:]) == (asking.count, layout.count)
    ]
    if not looks:
        raise ExplainError("places of the picture do not attend to words in this policy")
    start, count = asking.start, asking.places
    rows = looks[-1].mean()[-1][start : start + count, first : first + len(words)].mean(dim=0)
    total = max(float(rows.sum()), 1e-12)
    return [(word, float(weight) / total) for word, weight in zip(words, rows, strict=True)]
