"""The libraries that vision-language models come from, imported when one is needed."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from robot_vision.core.errors import ConfigError

_TORCHVISION = "torchvision"


def transformers() -> ModuleType:
    """transformers. Raises `ConfigError` with what to install where it is missing."""
    try:
        with _broken_torchvision_hidden():
            import transformers
            from transformers.utils.import_utils import is_torchvision_available

            is_torchvision_available()  # it asks once, and keeps the answer
    except ImportError as error:
        raise _lacking("transformers", error) from error
    transformers.utils.logging.disable_progress_bar()
    return transformers


def peft() -> ModuleType:
    """peft, for low-rank adapters. Raises `ConfigError` as `transformers` does."""
    transformers()
    try:
        import peft
    except ImportError as error:
        raise _lacking("peft", error) from error
    return peft


def _lacking(name: str, error: ImportError) -> ConfigError:
    return ConfigError(
        f"a vision-language model needs {name}, which cannot be imported ({error}): "
        "pip install 'robot_vision[vla]'"
    )


@contextmanager
def _broken_torchvision_hidden() -> Iterator[None]:
    """Let transformers do without a torchvision that is of another build than torch.

    It would import it wherever it can be used.
    """
    if _TORCHVISION in sys.modules or _is_sound():
        yield
        return
    for name in [name for name in sys.modules if name.split(".")[0] == _TORCHVISION]:
        del sys.modules[name]
    sys.modules[_TORCHVISION] = None  # type: ignore[assignment] # as if it were not installed
    try:
        yield
    finally:
        del sys.modules[_TORCHVISION]


def _is_sound() -> bool:
    try:
        importlib.import_module(_TORCHVISION)
    except ImportError:
        return True  # there is none, which transformers finds out by itself
    except RuntimeError:
        return False
    return True
