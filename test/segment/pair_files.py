"""The colour pair of `color_segmenter` under the tensors of every known kind of export."""

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
from color_segmenter import SIDE_PX, write_color_pair
from onnx import ModelProto, TensorProto, helper

CELLS = SIDE_PX // 16
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def write_pair(name: str, folder: Path) -> tuple[Path, Path]:
    """The two files of the pair of that name, whose answers are those of the colour pair."""
    encoder, decoder = (onnx.load(file) for file in write_color_pair(folder))
    _KINDS[name](encoder, decoder)
    files = folder / f"{name}_encoder.onnx", folder / f"{name}_decoder.onnx"
    for file, model in zip(files, (encoder, decoder), strict=True):
        onnx.checker.check_model(model)
        onnx.save(model, file)
    return files


def _sam(encoder: ModelProto, decoder: ModelProto) -> None:
    """Meta's: one prompt a run, and a larger `masks` that nobody needs."""
    del encoder
    for tensor in decoder.graph.input:
        dims = tensor.type.tensor_type.shape.dim
        if dims and dims[0].dim_param == "p":
            dims[0].dim_value = 1
    decoder.graph.input.append(helper.make_tensor_value_info("orig_im_size", FLOAT, [2]))
    _before(decoder, [("Identity", ["low_res_masks"], ["masks"], {})], at_end=True)
    _give(decoder, "masks", ["p", 4, 4 * CELLS, 4 * CELLS])


def _mobile_sam(encoder: ModelProto, decoder: ModelProto) -> None:
    """Normalises inside, and takes [height, width, 3]."""
    del decoder
    _takes(encoder, "input_image", [SIDE_PX, SIDE_PX, 3])
    _normalised(encoder, "input_image", [value * 255 for value in MEAN], [v * 255 for v in STD])
    nodes = [
        ("Transpose", ["normal"], ["chw"], {"perm": [2, 0, 1]}),
        ("Unsqueeze", ["chw", "first"], ["pixel_values"], {}),
    ]
    _constant(encoder, "first", INT64, [1], [0])
    _before(encoder, nodes, after=2)


def _sam2(encoder: ModelProto, decoder: ModelProto) -> None:
    _takes(encoder, "image", [1, 3, SIDE_PX, SIDE_PX])
    _before(encoder, [("Identity", ["image"], ["pixel_values"], {})])
    for name in ("image_embed", "high_res_feats_0", "high_res_feats_1"):
        _before(encoder, [("Identity", ["embedding"], [name], {})], at_end=True)
    del encoder.graph.output[:]
    for name in ("image_embed", "high_res_feats_0", "high_res_feats_1"):
        _give(encoder, name, [1, 48, CELLS, CELLS])
    _renamed(decoder, "image_embeddings", "image_embed")
    for name in ("high_res_feats_0", "high_res_feats_1"):
        info = helper.make_tensor_value_info(name, FLOAT, [1, 48, CELLS, CELLS])
        decoder.graph.input.append(info)
    _renamed(decoder, "low_res_masks", "masks")


def _efficient_sam(encoder: ModelProto, decoder: ModelProto) -> None:
    """Normalises inside; points in pixels of the map that is asked for."""
    _takes(encoder, "batched_images", [1, 3, "rows", "columns"])
    _normalised(encoder, "batched_images", MEAN, STD, shape=(1, 3, 1, 1))
    _before(encoder, [("Identity", ["normal"], ["pixel_values"], {})], after=2)
    _without(decoder, "mask_input", "has_mask_input", "point_coords", "point_labels")
    _needs(decoder, "batched_point_coords", FLOAT, [1, "p", "k", 2])
    _needs(decoder, "batched_point_labels", FLOAT, [1, "p", "k"])
    _needs(decoder, "orig_im_size", INT64, [2])
    _constant(decoder, "zeroth", INT64, [1], [0])
    _constant(decoder, "four", FLOAT, [], [4.0])
    _before(
        decoder,
        [
            ("Squeeze", ["batched_point_coords", "zeroth"], ["small"], {}),
            ("Mul", ["small", "four"], ["point_coords"], {}),
            ("Squeeze", ["batched_point_labels", "zeroth"], ["point_labels"], {}),
        ],
    )
    _renamed(decoder, "iou_predictions", "inner_scores")
    outputs = {"low_res_masks": "output_masks", "inner_scores": "iou_predictions"}
    _answers_in_a_batch(decoder, outputs)


def _transformers_sam(encoder: ModelProto, decoder: ModelProto) -> None:
    names = ("image_embeddings", "image_positional_embeddings")
    for name in names:
        _before(encoder, [("Identity", ["embedding"], [name], {})], at_end=True)
    del encoder.graph.output[:]
    for name in names:
        _give(encoder, name, [1, 48, CELLS, CELLS])
    _without(decoder, "mask_input", "has_mask_input", "point_coords", "point_labels")
    _needs(decoder, "image_positional_embeddings", FLOAT, [1, 48, CELLS, CELLS])
    _needs(decoder, "input_points", FLOAT, [1, "p", "k", 2])
    _needs(decoder, "input_labels", INT64, [1, "p", "k"])
    _constant(decoder, "zeroth", INT64, [1], [0])
    _before(
        decoder,
        [
            ("Squeeze", ["input_points", "zeroth"], ["point_coords"], {}),
            ("Squeeze", ["input_labels", "zeroth"], ["whole_labels"], {}),
            ("Cast", ["whole_labels"], ["point_labels"], {"to": FLOAT}),
        ],
    )
    _answers_in_a_batch(decoder, {"low_res_masks": "pred_masks", "iou_predictions": "iou_scores"})


_KINDS: dict[str, Callable[[ModelProto, ModelProto], None]] = {
    "sam": _sam,
    "mobile_sam": _mobile_sam,
    "sam2": _sam2,
    "efficient_sam": _efficient_sam,
    "transformers_sam": _transformers_sam,
}


def _before(
    model: ModelProto,
    nodes: list[tuple[str, list[str], list[str], dict[str, object]]],
    *,
    after: int = 0,
    at_end: bool = False,
) -> None:
    """Nodes put in after the first so many, or at the end."""
    at = len(model.graph.node) if at_end else after
    for offset, (kind, inputs, outputs, attributes) in enumerate(nodes):
        made = helper.make_node(kind, inputs, outputs, **attributes)
        model.graph.node.insert(at + offset, made)


def _normalised(
    model: ModelProto,
    name: str,
    mean: list[float],
    std: list[float],
    *,
    shape: tuple[int, ...] = (3,),
) -> None:
    _constant(model, "mean", FLOAT, shape, mean)
    _constant(model, "std", FLOAT, shape, std)
    nodes = [("Sub", [name, "mean"], ["off"], {}), ("Div", ["off", "std"], ["normal"], {})]
    _before(model, nodes)


def _constant(
    model: ModelProto, name: str, kind: int, shape: Sequence[int], values: list[float]
) -> None:
    model.graph.initializer.append(helper.make_tensor(name, kind, shape, values))


def _takes(model: ModelProto, name: str, shape: list[int | str]) -> None:
    del model.graph.input[:]
    _needs(model, name, FLOAT, shape)


def _needs(model: ModelProto, name: str, kind: int, shape: list[int | str]) -> None:
    model.graph.input.append(helper.make_tensor_value_info(name, kind, shape))


def _give(model: ModelProto, name: str, shape: list[int | str]) -> None:
    model.graph.output.append(helper.make_tensor_value_info(name, FLOAT, shape))


def _without(model: ModelProto, *names: str) -> None:
    kept = [tensor for tensor in model.graph.input if tensor.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(kept)


def _answers_in_a_batch(model: ModelProto, names: dict[str, str]) -> None:
    del model.graph.output[:]
    for inner, outer in names.items():
        _before(model, [("Unsqueeze", [inner, "zeroth"], [outer], {})], at_end=True)
        maps = [4 * CELLS, 4 * CELLS] if "mask" in inner else []
        _give(model, outer, [1, "p", 4, *maps])


def _renamed(model: ModelProto, before: str, after: str) -> None:
    for tensor in [*model.graph.input, *model.graph.output]:
        tensor.name = after if tensor.name == before else tensor.name
    for node in model.graph.node:
        node.input[:] = [after if name == before else name for name in node.input]
        node.output[:] = [after if name == before else name for name in node.output]
