"""Multiply-accumulates of an ONNX operator, from its shapes."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import onnx

Shape: TypeAlias = tuple[int, ...]
Shapes: TypeAlias = Sequence[Shape | None]
"""Shapes of inputs or outputs in order; None for an omitted one."""

_Formula: TypeAlias = Callable[[onnx.NodeProto, Shapes, Shapes], int]


def macs_of(node: onnx.NodeProto, inputs: Shapes, outputs: Shapes) -> int | None:
    """Counts of one run; 0 if an operator's are negligible, None if they are unknown."""
    formula = _OF_ONNX_RUNTIME.get(node.op_type) if node.domain == "com.microsoft" else None
    formula = formula or _FORMULAS.get(node.op_type)
    if formula is not None:
        return formula(node, inputs, outputs)
    return None if node.op_type in _UNKNOWN or _has_graph(node) else 0


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """An attribute's value."""
    for one in node.attribute:
        if one.name == name:
            return onnx.helper.get_attribute_value(one)
    return default


def _has_graph(node: onnx.NodeProto) -> bool:
    kinds = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return any(one.type in kinds for one in node.attribute)


def _size(shape: Shape | None) -> int:
    return math.prod(shape or (0,))


def _convolved(weights: int) -> _Formula:
    """Each output value is a sum over a filter: all axes of the weights but the first."""

    def formula(_: onnx.NodeProto, inputs: Shapes, outputs: Shapes) -> int:
        return _size(outputs[0]) * math.prod((inputs[weights] or ())[1:])

    return formula


def _transposed(_: onnx.NodeProto, inputs: Shapes, outputs: Shapes) -> int:
    """Each input value is multiplied by a filter: all axes of the weights but the first."""
    del outputs
    return _size(inputs[0]) * math.prod((inputs[1] or ())[1:])


def _product(_: onnx.NodeProto, inputs: Shapes, outputs: Shapes) -> int:
    return _size(outputs[0]) * (inputs[0] or (0,))[-1]


def _gemm(node: onnx.NodeProto, inputs: Shapes, outputs: Shapes) -> int:
    inner = (inputs[0] or (0, 0))[0 if attribute(node, "transA", 0) else 1]
    return _size(outputs[0]) * inner


def _packed_product(node: onnx.NodeProto, _: Shapes, outputs: Shapes) -> int:
    """MatMulNBits: weights of few bits, packed."""
    return _size(outputs[0]) * int(attribute(node, "K", 0))


def _einsum(node: onnx.NodeProto, inputs: Shapes, outputs: Shapes) -> int:
    """The product of all axes: the number of innermost products. 0 for a single input."""
    del outputs
    if len(inputs) < 2:
        return 0
    equation = attribute(node, "equation", b"").decode().replace(" ", "")
    terms = equation.split("->")[0].split(",")
    lengths: dict[str, int] = {}
    for term, shape in zip(terms, inputs, strict=True):
        letters, _, rest = term.partition("...")
        sides = list(shape or ())
        named = dict(zip(letters, sides, strict=False))
        named |= dict(zip(reversed(rest), reversed(sides), strict=False))
        free = sides[len(letters) : len(sides) - len(rest)] if "..." in term else []
        named |= {f"...{row}": side for row, side in enumerate(reversed(free))}
        for letter, side in named.items():
            lengths[letter] = max(lengths.get(letter, 1), side)
    return math.prod(lengths.values())


def _recurrent(_: onnx.NodeProto, inputs: Shapes, outputs: Shapes) -> int:
    """W [directions, gates·hidden, in] and R [directions, gates·hidden, hidden], each step."""
    del outputs
    steps, batch = (inputs[0] or (0, 0))[:2]
    return steps * batch * (_size(inputs[1]) + _size(inputs[2]))


def _whole_attention(_: onnx.NodeProto, inputs: Shapes, outputs: Shapes) -> int:
    """ONNX Runtime's own, of x [b,s,in] with weights [in, queries + keys + values]."""
    rows, projected = _size((inputs[0] or (0,))[:-1]), (inputs[1] or (0,))[-1]
    steps, values = (outputs[0] or (0, 0, 0))[1:]
    queries = (projected - values) // 2
    return _size(inputs[0]) * projected + rows * steps * (queries + values)


def _attention(node: onnx.NodeProto, inputs: Shapes, outputs: Shapes) -> int:
    """Queries by keys and weights by values: [b,heads,q,d], or [b,q,heads·d]."""
    del node, outputs
    query, key, value = (shape or (0, 0) for shape in inputs[:3])
    return _size(query[:-1]) * key[-2] * (query[-1] + value[-1])


_FORMULAS: dict[str, _Formula] = {
    "Conv": _convolved(1),
    "FusedConv": _convolved(1),
    "ConvInteger": _convolved(1),
    "QLinearConv": _convolved(3),
    "ConvTranspose": _transposed,
    "MatMul": _product,
    "FusedMatMul": _product,
    "MatMulInteger": _product,
    "DynamicQuantizeMatMul": _product,
    "QLinearMatMul": _product,
    "Gemm": _gemm,
    "FusedGemm": _gemm,
    "MatMulNBits": _packed_product,
    "Einsum": _einsum,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "Attention": _attention,
    "MultiHeadAttention": _attention,
}
# Where ONNX has an operator of the same name and other inputs.
_OF_ONNX_RUNTIME: dict[str, _Formula] = {"Attention": _whole_attention}
# They multiply, but there is no formula for them.
_UNKNOWN = {
    "DeformConv",
    "NhwcConv",
    "QAttention",
    "GroupQueryAttention",
    "PackedAttention",
    "PackedMultiHeadAttention",
    "DecoderMaskedMultiHeadAttention",
    "EmbedLayerNormalization",
    "QGemm",
    "MoE",
    "QMoE",
}
