"""Turns a model's folder into a bundle: its network as ONNX, verified against torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.export.graph import export_graph
from robot_vision.export.parity import check_parity, onnx_predictor, torch_predictor
from robot_vision.foundation.family import FAMILIES, Asked, Family, Made, family_of
from robot_vision.foundation.library import exportable
from robot_vision.foundation.model_folder import UNKNOWN, ModelFolder
from robot_vision.importing.trying.pictures import load_pictures
from robot_vision.model_store.store import Bundle, write_bundle
from robot_vision.perception.preprocess import Preprocessor

MOST_DIFFERENCE = 1e-3
_PICTURES = 2
_LIMITS = "Taken as published and not measured here: measure it on your own pictures."


@dataclass(frozen=True, kw_only=True, eq=False)
class Converted:
    """The bundle, how far ONNX Runtime is from torch, and notes for the user."""

    bundle: Bundle
    family: Family
    difference: float
    notes: tuple[str, ...]


def convert(folder: ModelFolder, asked: Asked, out: Path, *, source: str) -> Converted:
    """Write the bundle of the model in `folder` to `out`; its description names the `source`.

    Raises `ConfigError` for a model of no family, or for options unknown to its family, and
    `BundleError` if ONNX Runtime's results differ from torch's.
    """
    family = family_of(folder)
    if family is None:
        raise ConfigError(unknown_kind(folder))
    _check_options(family, asked)
    made = family.make(folder, asked)
    manifest = made.manifest.model_copy(
        update={
            "licence": asked.licence if asked.licence != UNKNOWN else folder.licence,
            "description": f"{folder.kind}, from {source}",
            "limits": _LIMITS,
        }
    )
    with TemporaryDirectory(prefix="robot_vision_") as temporary:
        with exportable():
            file = export_graph(made.graph, Path(temporary) / manifest.file)
        difference = max(_prove(made, file), _written_beside(made, file.parent))
        bundle = write_bundle(out, manifest, file)
    return Converted(bundle=bundle, family=family, difference=difference, notes=made.notes)


def unknown_kind(folder: ModelFolder) -> str:
    """Why a folder cannot become a bundle, and what can."""
    kinds = "; ".join(f"{name}: {', '.join(FAMILIES.get(name).classes)}" for name in FAMILIES)
    said = f"is of model_type {quoted(folder.kind)}" if folder.kind else "has no config.json"
    return (
        f"{folder.path} {said}; expected one of {kinds}; or a model.onnx, which is identified by "
        "trying it"
    )


def _check_options(family: Family, asked: Asked) -> None:
    """Refuse options of another family, which would otherwise be ignored silently."""
    usual = Asked(name=asked.name)
    common = {"name", "licence", "camera_px"}
    for one in fields(Asked):
        if one.name in common or one.name in family.options:
            continue
        if getattr(asked, one.name) != getattr(usual, one.name):
            raise ConfigError(
                f"{one.name.removesuffix('_px')} {getattr(asked, one.name)!r} has no meaning for "
                f"a model of family {family.name!r}, which takes "
                f"{', '.join(name.removesuffix('_px') for name in family.options)}"
            )


def _prove(made: Made, file: Path) -> float:
    if not made.is_a_set:
        return check_parity(made.graph, file, _samples(made), most=MOST_DIFFERENCE)
    original = torch_predictor(made.graph)
    exported = onnx_predictor(file, made.graph.outputs)
    worst = max(_of_sets(original(given), exported(given)) for given in _samples(made))
    if not worst <= MOST_DIFFERENCE:
        raise BundleError(
            f"{file.name}: a row differs from torch's nearest by {worst:.2g} of the largest "
            f"value, expected at most {MOST_DIFFERENCE:g}"
        )
    return worst


def _written_beside(made: Made, folder: Path) -> float:
    """The other files; how far the text encoder is from torch."""
    for name, text in made.texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    language = made.language
    if language is None:
        return 0.0
    file = export_graph(language, folder / language.file)
    example = {name: tensor.numpy() for name, tensor in language.example.items()}
    return check_parity(language, file, [example], most=MOST_DIFFERENCE)


def _of_sets(expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> float:
    """How far the more confident half of the expected rows are from the nearest found ones.

    The last digits of their scores decide which queries are chosen, and in which order.
    """
    sure = np.argsort(-expected["logits"][0].max(axis=1))[: (expected["logits"].shape[1] + 1) // 2]
    distance = np.zeros((len(sure), found["logits"].shape[1]))
    for role, value in expected.items():
        scale = max(1.0, float(np.abs(value).max()))
        apart = np.abs(value[0][sure][:, None] - found[role][0][None]).max(axis=2) / scale
        distance = np.maximum(distance, np.where(np.isfinite(apart), apart, np.inf))
    return float(distance.min(axis=1).max())


def _samples(made: Made) -> Iterator[Mapping[str, np.ndarray]]:
    """Pictures as the service prepares them; none is a mirror image of another."""
    prepare = Preprocessor(made.manifest.input)
    for picture in load_pictures()[: 2 * _PICTURES : 2]:
        inputs, _ = prepare(picture.rgb)
        yield {name: array.copy() for name, array in inputs.items()} | dict(made.inputs)
