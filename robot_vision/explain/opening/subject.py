"""A model to explain: from a run, or from a bundle with weights or only ONNX."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from robot_vision.core.cameras.placement import Placement
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import brief
from robot_vision.core.manifests.manifest import ModelInput, ModelManifest
from robot_vision.core.parameters.params import Params
from robot_vision.core.types import Camera
from robot_vision.explain.heat import ExplainError
from robot_vision.explain.opening.detections import detections_of
from robot_vision.formats.registry import FORMATS
from robot_vision.model_store.store import Bundle, find_bundle
from robot_vision.models.card import Card, Size
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import Weights, load_exactly, read_weights, spec_of
from robot_vision.perception.preprocess import Preprocessor
from robot_vision.training.data.labels.label_maps import BACKGROUND
from robot_vision.training.distillation.open_teacher import of_onnx
from robot_vision.training.distillation.teacher import Run
from robot_vision.training.engine.recipes.recipe_file import load_recipe
from robot_vision.training.engine.run import BUNDLE_WEIGHTS, RECIPE, WEIGHTS

_CPU = torch.device("cpu")
_FORMATS = ("classification", "semantic", "native", "yolo_v1", "detr_logits", "depth_metric")


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A model of pictures. `model`, `card` and `spec` are None if there is only ONNX.

    `run` maps a batch of inputs by name to outputs by role; with a model they have gradients.
    `quick` does it without gradients, by ONNX Runtime, if the bundle has both. `margin_px` is how
    far the network pads the picture below and right of it. `finds_anew`: a row of boxes is another
    object in each picture. `classes` are the names of the rows of scores, a background included.
    """

    name: str
    image: ModelInput
    classes: tuple[str, ...]
    run: Run
    quick: Run | None = None
    model: nn.Module | None = None
    card: Card[Any] | None = None
    spec: Params | None = None
    margin_px: tuple[int, int] = (0, 0)
    finds_anew: bool = False

    def prepared(
        self,
        rgb: UInt8[np.ndarray, "h w 3"],
        depth_m: Float32[np.ndarray, "hd wd"] | None = None,
        camera: Camera | None = None,
    ) -> tuple[dict[str, Tensor], Placement]:
        """A picture's inputs, prepared as in the service, and its placement in them."""
        arrays, placement = Preprocessor(self.image)(rgb, depth_m, camera)
        inputs = {name: torch.from_numpy(array[:1].copy()) for name, array in arrays.items()}
        return inputs, placement

    @property
    def is_asked_by_words(self) -> bool:
        """Whether its classes are the phrases of a prompt, which a picture does not have."""
        format = self.card.serving.format if self.card and self.card.serving else ""
        return bool(format) and FORMATS.get(format).asked_by_words

    @property
    def size(self) -> Size:
        """Of its input."""
        return Size(width_px=self.image.width_px, height_px=self.image.height_px)

    def network(self, *, wanted_for: str) -> nn.Module:
        """The torch model; raises `ExplainError` if there is only ONNX."""
        if self.model is None:
            raise ExplainError(
                f"{self.name} has only ONNX, without gradients and layers to read: "
                f"{wanted_for} needs a run of `robot-vision train`, or a bundle with "
                f"{BUNDLE_WEIGHTS}; `occlusion` works without"
            )
        return self.model

    def with_random_weights(self, seed: int) -> "Subject":
        """The same network with random weights: maps that survive this do not depend on training.

        Statistics of its norms stay: they do not determine what it looks at.
        """
        model = self.network(wanted_for="a model with random weights")
        assert self.card is not None
        assert self.spec is not None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = self.card.build(self.spec)
        buffers = dict(model.named_buffers())
        for name, buffer in fresh.named_buffers():
            buffer.copy_(buffers[name])
        made = _of_model(self.name, fresh, self.card, self.spec, self.image, self.classes)
        return replace(made, margin_px=self.margin_px)


def open_subject(name: str, *, size: Size | None = None) -> Subject:
    """The run in that folder, or the bundle of that name or in that folder.

    `size` replaces the picture size of training, if the network takes any size. Raises
    `ConfigError`, `BundleError` or `ExplainError` if there is none that takes pictures.
    """
    opened = _opened(name, size)
    return opened if size is None else checked_size(opened)


def checked_size(subject: Subject) -> Subject:
    """Raises `ConfigError` where the network does not run at the size of its input."""
    try:
        with torch.no_grad():
            subject.run(example_of(subject))
    except (RuntimeError, ValueError, AssertionError) as error:  # up to the network
        size = f"{subject.image.width_px}x{subject.image.height_px}"
        raise ConfigError(
            f"size {size}: {subject.name} does not run at it ({brief(error)}); most networks need "
            "multiples of 32"
        ) from error
    return subject


def _opened(name: str, size: Size | None) -> Subject:
    folder = Path(name)
    if (folder / RECIPE).is_file():
        return _of_run(folder, size)
    bundle = find_bundle(name)
    if bundle.manifest.input.carried:
        raise ExplainError(f"{name} carries state from frame to frame: one picture is not enough")
    if bundle.manifest.architecture in MODELS and (bundle.path / BUNDLE_WEIGHTS).is_file():
        subject = _of_weights(bundle, size)
        is_fed_alike = size is None and not subject.is_asked_by_words
        has_graph = bundle.model_path.suffix == ".onnx"
        quick = of_onnx(bundle, _CPU).run if is_fed_alike and has_graph else None
        return replace(subject, quick=quick)
    if size:
        raise ConfigError(f"{name} is ONNX with a fixed picture size; it cannot be changed")
    finds = _finds_anew(bundle.manifest)
    return Subject(
        name=bundle.manifest.name,
        image=bundle.manifest.input,
        classes=bundle.manifest.classes,
        run=detections_of(bundle) if finds else of_onnx(bundle, _CPU).run,
        finds_anew=finds,
    )


def _finds_anew(manifest: ModelManifest) -> bool:
    """Whether its detections are explained, because `targets` would misread its outputs.

    Raises `ExplainError` if it has none.
    """
    reading, format = manifest.reading, FORMATS.get(manifest.format)
    is_ours = manifest.architecture in MODELS
    fits = manifest.format in _FORMATS and reading.background == "none"
    if is_ours or (fits and (manifest.format != "detr_logits" or reading.activation == "softmax")):
        return False
    if format.detection is not None and not format.asked_by_words:
        return True
    raise ExplainError(
        f"{manifest.name}: outputs of format {manifest.format!r} (background "
        f"{reading.background!r}, activation {reading.activation!r}) are not explained; detectors "
        f"whose classes are no words are, and {', '.join(_FORMATS)} without a background class"
    )


def fresh_subject(card: Card[Any], spec: Params, *, size: Size) -> Subject:
    """A model of a card with random weights, to show its architecture and for tests."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = card.build(spec)
    count = getattr(spec, "classes", 0)
    names = tuple(f"class {row}" for row in range(count))
    return _of_model(card.name, model, card, spec, _image(card, spec, size), names)


def subject_of(
    name: str, card: Card[Any], weights: Weights, image: Callable[[Any], ModelInput]
) -> Subject:
    """A model of a card with weights; `image` maps its spec to its picture input."""
    spec = spec_of(weights, card, {})
    return _loaded(name, card, spec, weights, image(spec))


def example_of(subject: Subject) -> dict[str, Tensor]:
    """Inputs of a blank picture."""
    size = (subject.image.height_px, subject.image.width_px, 3)
    return subject.prepared(np.zeros(size, np.uint8))[0]


def _of_run(folder: Path, wanted: Size | None) -> Subject:
    recipe, weights = load_recipe(folder / RECIPE), read_weights(folder / WEIGHTS)
    size = wanted or getattr(recipe.options, "served_size", None)
    if size is None:
        raise ExplainError(f"{folder}: task {recipe.task!r} has no pictures")
    card = MODELS.get(weights.model or recipe.model)
    spec = spec_of(weights, card, recipe.spec)
    image = _image(card, spec, size)
    return _loaded(str(folder), card, spec, weights, image)


def _of_weights(bundle: Bundle, wanted: Size | None) -> Subject:
    manifest = bundle.manifest
    image = manifest.input
    if wanted:
        size = {"width_px": wanted.width_px, "height_px": wanted.height_px}
        image = image.model_copy(update=size)
    weights = read_weights(bundle.path / BUNDLE_WEIGHTS)
    card, names = MODELS.get(manifest.architecture), _rows_of(manifest)
    spec = spec_of(weights, card, {"classes": len(names)})
    return _loaded(manifest.name, card, spec, weights, image, names)


def _rows_of(manifest: ModelManifest) -> tuple[str, ...]:
    """Names of the rows of scores; in label maps the background is one of them."""
    has_background = manifest.format == "semantic" and manifest.reading.background == "first"
    return (BACKGROUND, *manifest.classes) if has_background else manifest.classes


def _image(card: Card[Any], spec: Params, size: Size) -> ModelInput:
    if card.serving is None or card.serving.image is None:
        raise ExplainError(f"model {card.name!r} takes no picture to explain")
    return card.serving.image(spec, size)


def _loaded(
    name: str,
    card: Card[Any],
    spec: Params,
    weights: Weights,
    image: ModelInput,
    classes: tuple[str, ...] = (),
) -> Subject:
    with torch.random.fork_rng(devices=[]):
        model = card.build(spec)
    load_exactly(model, weights, name=card.name)
    known = classes or tuple(weights.travels.get("classes", ()))
    return _of_model(name, model, card, spec, image, known)


def _of_model(
    name: str,
    model: nn.Module,
    card: Card[Any],
    spec: Params,
    image: ModelInput,
    classes: tuple[str, ...],
) -> Subject:
    """Other inputs that are not given are zeros: no memory, no words."""
    model.eval()
    nothing = {name: torch.zeros_like(value) for name, value in card.example(spec, 1).items()}

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        count = len(next(iter(inputs.values())))
        given = {
            name: inputs[name] if name in inputs else value.expand(count, *value.shape[1:])
            for name, value in nothing.items()
        }
        return model(inputs) if card.called_by_name else model(*card.arguments(given))

    return Subject(
        name=name, image=image, classes=classes, run=run, model=model, card=card, spec=spec
    )
