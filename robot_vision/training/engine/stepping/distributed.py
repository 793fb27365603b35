"""Training in several processes, started by torchrun; without it, these do nothing.

On a shared CPU, processes of one thread each are many times faster than one of several threads,
which wait for the slowest of them at every operation.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError

# Only process 0 evaluates, and the others wait for its figure: NCCL gives up after 10 minutes.
_LONGEST_EVALUATION = timedelta(hours=6)


def device_of(name: str) -> torch.device:
    """The device with this name; each process of a machine has its own GPU.

    Raises `ConfigError` if there is no such device, or there are fewer GPUs than processes.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        number, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if number >= count:
            raise ConfigError(
                f"run.device = 'cuda': process {number + 1} of this machine finds {count} GPUs; "
                "start as many processes as there are GPUs, or set run.device to cpu"
            )
        return torch.device("cuda", number)
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"run.device = {name!r}; expected cpu, cuda or auto") from error
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"run.device = {name!r}; expected cpu, cuda or auto")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"run.device = {name!r}: this machine has {torch.cuda.device_count()} GPUs; "
            "expected cpu, cuda or auto"
        )
    return device


@contextmanager
def process_group(device_name: str) -> Iterator[None]:
    """Join the processes that torchrun started, if it did."""
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    device = device_of(device_name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=_LONGEST_EVALUATION)
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """This process's number; the one numbered 0 evaluates, logs and saves."""
    return dist.get_rank() if dist.is_initialized() else 0


def process_count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def rank_0_first() -> Iterator[None]:
    """Process 0 runs the block first, then the others, which find its files on disk."""
    is_first = rank() == 0
    if dist.is_initialized() and not is_first:
        dist.barrier()
    yield
    if dist.is_initialized() and is_first:
        dist.barrier()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes, in one exchange.

    A batch may leave some parameters without a gradient (no object, no mask): that counts as zero
    where other processes have one, and stays none where none has.
    """
    if not dist.is_initialized():
        return
    trained = list(parameters)
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    found = torch.tensor([float(p.grad is not None) for p in trained], device=trained[0].device)
    flat = torch.cat([*(g.flatten() for g in gradients), found])
    dist.all_reduce(flat)
    *means, found = (flat / process_count()).split([*(g.numel() for g in gradients), len(trained)])
    is_found = (found > 0).tolist()
    for parameter, gradient, mean, anywhere in zip(
        trained, gradients, means, is_found, strict=True
    ):
        gradient.copy_(mean.view_as(gradient))
        parameter.grad = gradient if anywhere else None


@torch.no_grad()
def share_buffers(modules: Iterable[nn.Module]) -> None:
    """Give all processes the buffers of process 0, such as running statistics."""
    if not dist.is_initialized():
        return
    for module in modules:
        for buffer in module.buffers():
            shared: Tensor = buffer.contiguous()
            dist.broadcast(shared, src=0)
            buffer.copy_(shared)


def agreed(value: float, device: torch.device) -> float:
    """The value of process 0, in all."""
    if not dist.is_initialized():
        return value
    shared = torch.tensor([value], dtype=torch.float64, device=device)
    dist.broadcast(shared, src=0)
    return float(shared.item())
