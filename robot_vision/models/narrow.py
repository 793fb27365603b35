"""A model with fewer channels than in its spec: layers take the shapes of a file's tensors.

No spec describes a pruned model: two blocks that share one width in the spec may differ. The
shapes in the file of weights define what is left; the model's code stays that of its card.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from robot_vision.core.errors import ConfigError


def narrow(
    model: nn.Module, tensors: Mapping[str, Tensor], *, fresh: frozenset[str] = frozenset()
) -> None:
    """Give each layer the shapes of its tensors; values are cut from the old ones, not loaded.

    Layers with tensors in `fresh` keep their outputs (the classes of another set) and narrow only
    their inputs. Raises `ConfigError` for a layer whose width cannot change.
    """
    for name, module in model.named_modules():
        own = _tensors_of(module)
        shapes = {
            inner: _shape(tensors[full].shape, tensor.shape, is_fresh=full in fresh)
            for inner, tensor in own.items()
            if (full := f"{name}.{inner}" if name else inner) in tensors
        }
        changed = {inner: s for inner, s in shapes.items() if s != tuple(own[inner].shape)}
        if changed:
            _check(name, own, changed)
            _resize(name, module, changed)


def _tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of the module itself."""
    return {
        **dict(module.named_parameters(recurse=False)),
        **dict(module.named_buffers(recurse=False)),
    }


def _shape(given: torch.Size, own: torch.Size, *, is_fresh: bool) -> tuple[int, ...]:
    """A fresh layer is narrowed only in its inputs, the second dimension."""
    return (*own[:1], *given[1:]) if is_fresh else tuple(given)


def _check(name: str, own: Mapping[str, Tensor], changed: Mapping[str, tuple[int, ...]]) -> None:
    for inner, shape in changed.items():
        before = tuple(own[inner].shape)
        if len(shape) != len(before) or any(a > b for a, b in zip(shape, before, strict=True)):
            raise ConfigError(
                f"{name}.{inner} is {list(shape)} in the weights of a pruned model; expected at "
                f"most {list(before)}"
            )


def _resize(name: str, module: nn.Module, changed: Mapping[str, tuple[int, ...]]) -> None:
    fit = next((fit for kind, fit in _KINDS.items() if isinstance(module, kind)), None)
    if fit is None:
        raise ConfigError(
            f"{name} is {type(module).__name__}, which cannot be narrower; pruned models consist "
            f"of {', '.join(kind.__name__ for kind in _KINDS)}"
        )
    for inner, shape in changed.items():
        tensor = getattr(module, inner)
        smaller = tensor.detach()[tuple(slice(size) for size in shape)].clone()
        if isinstance(tensor, nn.Parameter):
            smaller = nn.Parameter(smaller, requires_grad=tensor.requires_grad)
        setattr(module, inner, smaller)
    fit(module)


def _fit_convolution(module: nn.Module) -> None:
    assert isinstance(module, nn.Conv1d | nn.Conv2d)
    if module.groups > 1 and module.groups == module.in_channels:  # one group per channel
        module.groups = module.weight.shape[0] * module.in_channels // module.out_channels
    module.out_channels = module.weight.shape[0]
    module.in_channels = module.weight.shape[1] * module.groups


def _fit_transposed(module: nn.Module) -> None:
    assert isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d)
    module.in_channels = module.weight.shape[0]
    module.out_channels = module.weight.shape[1] * module.groups


def _fit_linear(module: nn.Module) -> None:
    assert isinstance(module, nn.Linear)
    module.out_features, module.in_features = module.weight.shape


def _fit_norm(module: nn.Module) -> None:
    assert isinstance(module, _BatchNorm)
    assert module.running_mean is not None
    module.num_features = len(module.running_mean)


_KINDS: dict[type[nn.Module], Callable[[nn.Module], None]] = {
    nn.Conv1d: _fit_convolution,
    nn.Conv2d: _fit_convolution,
    nn.ConvTranspose2d: _fit_transposed,
    nn.Linear: _fit_linear,
    _BatchNorm: _fit_norm,
}
