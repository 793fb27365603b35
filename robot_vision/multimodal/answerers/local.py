"""A VLM in a folder on this machine, as transformers' `save_pretrained` writes it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.parameters.params import param
from robot_vision.models.public_library import import_transformers
from robot_vision.multimodal.answerer import (
    Answerer,
    AnswererKind,
    AnswerError,
    AnswererSpec,
    Reply,
    register_answerer,
)
from robot_vision.multimodal.question import Question

_QUESTION = "{question}"
_WARM_UP_PX = 64
_FAILURES = (RuntimeError, ValueError, TypeError, IndexError, KeyError)


class LocalSpec(AnswererSpec):
    folder: str = param(
        ..., "with config.json, the processor and *.safetensors of the model", min_length=1
    )
    prompt: str = param(
        "",
        "the model's prompt with {question} in it, as in its card; default: its own chat template",
    )
    most_output_tokens: int = param(60, "of an answer", ge=1, le=4096)
    device: str = param("cpu", "cpu, or cuda")
    precision: str = param("float32", "of the weights: float32, bfloat16 or float16")


class Local:
    """Greedy answers: the same on every call."""

    def __init__(self, spec: LocalSpec) -> None:
        transformers = import_transformers()
        import torch

        self._torch, self._spec = torch, spec
        folder = Path(spec.folder).expanduser()
        dtype = _precision(torch, spec.precision)
        _check_device(torch, spec.device)
        _check_folder(folder)
        try:
            # Remote code is not run (the default), and pickles are not opened.
            self._processor = transformers.AutoProcessor.from_pretrained(
                folder, local_files_only=True
            )
            model = transformers.AutoModelForImageTextToText.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=dtype
            )
        except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
            raise BundleError(f"{folder} cannot be loaded as a VLM: {error}") from error
        self._model: Any = model.eval().to(spec.device)
        self._check_prompt(folder)
        self._generate("?", np.zeros((_WARM_UP_PX, _WARM_UP_PX, 3), np.uint8))

    def ask(self, question: Question, rgb: UInt8[np.ndarray, "h w 3"]) -> Reply:
        return self._generate(question.text, rgb)

    def close(self) -> None:
        self._model = None

    def _check_prompt(self, folder: Path) -> None:
        if self._spec.prompt and _QUESTION not in self._spec.prompt:
            raise ConfigError(f"prompt {self._spec.prompt!r} has no {_QUESTION} in it")
        if not self._spec.prompt and not getattr(self._processor, "chat_template", None):
            raise ConfigError(
                f"{folder} has no chat template: give `prompt` as the model's card says, like "
                "'<image>answer en {question}' of PaliGemma"
            )

    def _generate(self, question: str, rgb: UInt8[np.ndarray, "h w 3"]) -> Reply:
        from PIL import Image

        try:
            inputs = self._processor(
                images=Image.fromarray(rgb), text=self._prompt(question), return_tensors="pt"
            ).to(self._spec.device, dtype=self._model.dtype)
            with self._torch.inference_mode():
                out = self._model.generate(
                    **inputs, do_sample=False, max_new_tokens=self._spec.most_output_tokens
                )
        except _FAILURES as error:  # out of device memory, or a prompt without a picture
            raise AnswerError(f"it failed: {str(error)[:300]}") from error
        count = inputs["input_ids"].shape[1]
        text = self._processor.decode(out[0, count:], skip_special_tokens=True)
        return Reply(text=text.strip(), input_tokens=count, output_tokens=out.shape[1] - count)

    def _prompt(self, question: str) -> str:
        if self._spec.prompt:
            return self._spec.prompt.replace(_QUESTION, question)
        content = [{"type": "image"}, {"type": "text", "text": question}]
        return self._processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise BundleError(
            f"{folder} is not a model: it has no config.json; expected a folder that "
            "transformers' save_pretrained wrote"
        )
    if not any(folder.glob("*.safetensors")):
        raise BundleError(f"{folder} has no *.safetensors: weights of other kinds are not opened")


def _precision(torch: Any, name: str) -> Any:
    known = ("float32", "bfloat16", "float16")
    if name not in known:
        raise ConfigError(f"precision {name!r}; expected one of {', '.join(known)}")
    return getattr(torch, name)


def _check_device(torch: Any, name: str) -> None:
    if name != "cpu" and not (name.startswith("cuda") and torch.cuda.is_available()):
        raise ConfigError(f"device {name!r} is not available; expected cpu, or cuda with a GPU")


def build(spec: LocalSpec, _: Sequence[Question]) -> Answerer:
    return Local(spec)


register_answerer(
    AnswererKind(
        name="local",
        about="a VLM in a folder on this machine (transformers, safetensors)",
        spec=LocalSpec,
        build=build,
    )
)
