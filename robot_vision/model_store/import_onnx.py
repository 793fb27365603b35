"""Describes an ONNX file from another exporter, as far as the file and its format allow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort
from pydantic import ValidationError

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.check import check_manifest
from robot_vision.formats.format import Format
from robot_vision.formats.registry import FORMATS
from robot_vision.model_store.bundle_files import explain
from robot_vision.model_store.file_kinds import WHAT_A_KIND_CAN_DO, kind_of
from robot_vision.model_store.onnx_open import open_onnx

_KINDS = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}
_SIZE_TYPE = "tensor(int64)"


def describe_onnx(
    model_file: Path,
    *,
    name: str,
    format: str,
    classes: Sequence[str] = (),
    size_px: tuple[int, int] | None = None,
    outputs: Mapping[str, str] | None = None,
    image: Mapping[str, Any] | None = None,
    licence: str = "unknown",
) -> ModelManifest:
    """A manifest for `model_file`: names, types and sizes from the file, the rest from `format`.

    `size_px` (width, height) is needed where the file leaves its size open, `outputs` maps roles
    to tensor names, `image` replaces fields of the input (color, resize, mean, …). Outputs are
    read in the way most common for `format`. Raises `UnknownNameError` if there is no such
    format, `BundleError` if the file is not such a model.
    """
    known = FORMATS.get(format)
    return describe_session(
        open_model(model_file),
        model_file,
        name=name,
        format=format,
        classes=classes,
        size_px=size_px,
        outputs=outputs,
        image=image,
        reading={field: values[0] for field, values in known.readings.items()},
        licence=licence,
    )


def describe_session(
    session: ort.InferenceSession,
    model_file: Path,
    *,
    name: str,
    format: str,
    classes: Sequence[str] = (),
    size_px: tuple[int, int] | None = None,
    outputs: Mapping[str, str] | None = None,
    image: Mapping[str, Any] | None = None,
    reading: Mapping[str, str] | None = None,
    keypoints: Sequence[str] = (),
    licence: str = "unknown",
) -> ModelManifest:
    """As `describe_onnx`, for an open model; `reading` has fields of `OutputReading`."""
    known = FORMATS.get(format)
    given = dict(image or {})
    try:
        manifest = ModelManifest.model_validate(
            {
                "name": name,
                "task": known.task,
                "format": format,
                "input": _describe_input(session, known, size_px, given) | given,
                "outputs": dict(outputs) if outputs else _describe_outputs(session, known),
                "reading": dict(reading or {}),
                "classes": tuple(classes),
                "keypoints": tuple(keypoints),
                "licence": licence,
            }
        )
    except ValidationError as error:
        raise BundleError(f"{model_file}: {explain(error)}") from error
    check_manifest(manifest)
    return manifest


def open_model(model_file: Path) -> ort.InferenceSession:
    """The ONNX file in a session on the CPU; raises `BundleError` if it is not one."""
    if not Path(model_file).is_file():
        raise BundleError(f"{model_file} is not a file; expected an ONNX model")
    if kind_of(model_file) == "engine":
        raise BundleError(
            f"{model_file} is a TensorRT engine: it runs on one kind of GPU with one version of "
            "TensorRT only, can run any code when loaded, and is never tried. Import the ONNX "
            "file that it was built from: with --device tensorrt its engine is built where it "
            "runs, and kept. To run this engine file itself, make it the file of that bundle "
            "(docs/models.md)"
        )
    if kind_of(model_file) != "onnx":
        what = WHAT_A_KIND_CAN_DO.get(kind_of(model_file), "its name does not end in .onnx")
        raise BundleError(f"{model_file} is not an ONNX model ({what}): convert it to ONNX")
    return open_onnx(model_file)


def _describe_input(
    session: ort.InferenceSession,
    format: Format,
    size_px: tuple[int, int] | None,
    given: Mapping[str, Any],
) -> dict[str, Any]:
    by_rank = {tensor.name: tensor for tensor in session.get_inputs()}
    image = _image_of(list(by_rank.values()))
    layout = given.get("layout") or ("nhwc" if image.shape[3] == 3 != image.shape[1] else "nchw")
    height, width = image.shape[2:4] if layout == "nchw" else image.shape[1:3]
    if size_px is not None:
        width, height = size_px
    if not isinstance(width, int) or not isinstance(height, int):
        raise BundleError(
            f"input {image.name!r} is {image.shape}: give its size in pixels, width x height, as "
            "it was trained (--size 640x640)"
        )
    described = {
        "name": image.name,
        "width_px": width,
        "height_px": height,
        "layout": layout,
        "dtype": _KINDS[str(image.type)],
        "batch": _batch_of(image.shape[0]),
        **format.habits,
    }
    for tensor in by_rank.values():
        if len(tensor.shape) == 4 and tensor.shape[1] == 1:
            described["depth_name"] = tensor.name
        elif len(tensor.shape) == 2 and str(tensor.type) == _SIZE_TYPE:
            described["size_name"] = tensor.name
        elif len(tensor.shape) == 2 and tensor.shape[1] == 1:
            described["focal_name"] = tensor.name
    return described


def _image_of(tensors: Sequence[ort.NodeArg]) -> ort.NodeArg:
    """The input that takes pictures: with three channels, or as many as it is given."""
    planes = [t for t in tensors if len(t.shape) == 4 and str(t.type) in _KINDS]
    with_colors = [t for t in planes if 3 in (t.shape[1], t.shape[3])]
    # Exporters that leave every axis open leave the channels open too.
    open_ones = [t for t in planes if not isinstance(t.shape[1], int)]
    if not with_colors and not open_ones:
        found = ", ".join(f"{t.name} {t.type} {t.shape}" for t in tensors)
        raise BundleError(f"no input is an image ([1,3,H,W] or [1,H,W,3]); the model has: {found}")
    return (with_colors or open_ones)[0]


def _batch_of(size: object) -> int:
    """The model's fixed batch size; one if the file leaves it open."""
    return size if isinstance(size, int) and size > 1 else 1


def _describe_outputs(session: ort.InferenceSession, format: Format) -> dict[str, str]:
    """Roles of the outputs; none named if there is only one, or if shapes decide them."""
    names = [str(tensor.name) for tensor in session.get_outputs()]
    named = {format.other_names.get(name, name): name for name in names}
    by_shape = format.roles_by_shape is not None and not set(format.roles) <= set(named)
    return {} if len(names) == 1 or by_shape else named
