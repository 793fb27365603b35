"""A frozen encoder of sentences: tokenizer and ONNX network, alike in training and in service.

A sentence becomes an encoding a token, not one for the whole: words can then say where in a
picture to look, as those of a policy's own vocabulary do, and no pooling has to be known, which
differs from encoder to encoder.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from jaxtyping import Float32, Int64

from robot_vision.core.errors import BundleError, ForeignFileError
from robot_vision.core.foreign import parse_json, quoted, read_text
from robot_vision.core.types import Instruction
from robot_vision.model_store.policies import PolicyBundle
from robot_vision.policies.language import meant_among, split_words
from robot_vision.policies.session import open_policy_session

MOST_TOKENIZER_BYTES = 32 * 2**20
# Nobody says more in a sentence; a tokenizer need not read more.
MOST_LETTERS = 2000
_INPUTS = ("input_ids", "attention_mask")
_SEGMENTS = "token_type_ids"
_USUAL_OUTPUT = "last_hidden_state"
_DTYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedSentence:
    """Tokens of a sentence and an encoding of each; the words that have no token of their own."""

    tokens: Int64[np.ndarray, " l"]
    encoding: Float32[np.ndarray, "l d"]
    unknown_words: tuple[str, ...]


class SentenceEncoder:
    """Raises `BundleError` where network and tokenizer cannot be loaded, or are not of each other.

    The network takes `input_ids`, `attention_mask` and perhaps `token_type_ids`, and answers
    f32 [1,l,d]: `last_hidden_state`, or its only output of three axes. It always sees
    `max_tokens`, those beyond the sentence masked. `width` is d.
    """

    def __init__(self, network: Path, tokenizer: Path, *, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._of = network
        self._tokenizer, self._unknown = open_tokenizer(tokenizer)
        self._session = open_policy_session(
            network, inputs=_INPUTS, threads=1, spin=False, optional=(_SEGMENTS,)
        )
        self._dtypes = {each.name: _dtype(each, network) for each in self._session.get_inputs()}
        self._length = _length(self._session, network, max_tokens)
        self._output = _output(self._session, network)
        self.width = self._tried()

    def encode(self, text: str) -> EncodedSentence:
        """Nothing but punctuation has no tokens. Raises `ValueError` for what is too long."""
        nothing = np.zeros((0, self.width), np.float32)
        if not split_words(text):
            return EncodedSentence(
                tokens=np.zeros(0, np.int64), encoding=nothing, unknown_words=()
            )
        if len(text) > MOST_LETTERS:
            raise ValueError(f"{len(text)} letters; expected {MOST_LETTERS} at most")
        found = self._tokenizer.encode(text)
        if len(found.ids) > self.max_tokens:
            raise ValueError(
                f"{len(found.ids)} tokens in {quoted(text)}; expected {self.max_tokens} at most"
            )
        tokens = np.array(found.ids, np.int64)
        return EncodedSentence(
            tokens=tokens,
            encoding=self._run(tokens)[: len(tokens)],
            unknown_words=self._unknown_words(text, found),
        )

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Words of a sentence that the tokenizer has no token for."""
        return self._unknown_words(text, self._tokenizer.encode(text[:MOST_LETTERS]))

    def _unknown_words(self, text: str, found: Any) -> tuple[str, ...]:
        slices = [
            text[slice(*place)]
            for token, place in zip(found.ids, found.offsets, strict=True)
            if token == self._unknown
        ]
        return tuple(dict.fromkeys(word for each in slices for word in split_words(each)))

    def _run(self, tokens: Int64[np.ndarray, " l"]) -> Float32[np.ndarray, "m d"]:
        row = np.zeros((1, self._length), np.int64)
        row[0, : len(tokens)] = tokens
        is_there = (np.arange(self._length) < len(tokens))[None]
        given = dict(zip((*_INPUTS, _SEGMENTS), (row, is_there, np.zeros_like(row)), strict=True))
        fed = {name: given[name].astype(dtype) for name, dtype in self._dtypes.items()}
        return np.asarray(self._session.run([self._output], fed)[0])[0]

    def _tried(self) -> int:
        """The width of what it answers to the last token there is, which it has to know."""
        count = self._tokenizer.get_vocab_size()
        try:
            answer = self._run(np.array([count - 1]))
        except Exception as error:  # ONNX Runtime's exceptions share no base but this
            raise BundleError(
                f"{self._of} does not take the last of the {count} tokens of its tokenizer: the "
                f"two do not belong together, or it takes no {self.max_tokens} tokens ({error})"
            ) from error
        if answer.ndim != 2 or len(answer) < self.max_tokens or not np.isfinite(answer[0]).all():
            raise BundleError(
                f"{self._of} answers {answer.shape} to {self.max_tokens} tokens; expected finite "
                "numbers for each token"
            )
        return answer.shape[1]


def bundled_encoder(bundle: PolicyBundle) -> SentenceEncoder:
    """That of a policy's bundle. Raises `BundleError` where there is none that works."""
    network, tokenizer = bundle.language_path, bundle.tokenizer_path
    said = bundle.manifest.sentences
    if said is None or network is None or tokenizer is None:
        raise BundleError(f"{bundle.path} has no encoder of sentences")
    encoder = SentenceEncoder(network, tokenizer, max_tokens=said.max_tokens)
    if encoder.width != said.width:
        raise BundleError(
            f"{network} gives {encoder.width} numbers a token; policy.yaml says "
            f"{said.width}: export the policy again"
        )
    return encoder


class SentenceWords:
    """Whole sentences by the frozen encoder in a policy's bundle; see `policies.words.Words`."""

    def __init__(self, bundle: PolicyBundle) -> None:
        self._encoder = bundled_encoder(bundle)

    def instruct(self, text: str) -> Instruction:
        """Encoded once, when the words arrive. `problem` is set if they cannot be followed."""
        nothing = np.zeros((0, self._encoder.width), np.float32)
        try:
            found = self._encoder.encode(text)
        except ValueError as error:
            no_tokens = np.zeros(0, np.int64)
            return Instruction(text=text, tokens=no_tokens, encoding=nothing, problem=str(error))
        return Instruction(
            text=text,
            tokens=found.tokens,
            encoding=found.encoding,
            unknown_words=found.unknown_words,
            problem=_problem(text, found),
        )


def _problem(text: str, found: EncodedSentence) -> str:
    if not len(found.tokens):
        return "no instruction"
    meant = meant_among(found.unknown_words, split_words(text))
    if not meant:
        return ""
    plural = "words" if len(meant) > 1 else "word"
    return f"unknown {plural} {', '.join(map(quoted, meant))}: the encoder has no token for it"


def open_tokenizer(file: Path) -> tuple[Any, int | None]:
    """The tokenizer, and its token for what it does not know."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise BundleError(
            "a policy of whole sentences needs the package `tokenizers`: "
            "pip install 'robot_vision[sentences]'"
        ) from error
    try:
        text = read_text(file, most_bytes=MOST_TOKENIZER_BYTES)
        model = parse_json(text, what=str(file)).get("model", {})
        tokenizer = Tokenizer.from_str(text)
    except ForeignFileError as error:
        raise BundleError(str(error)) from error
    except Exception as error:  # what the library raises has no base but this
        raise BundleError(f"{file} is no tokenizer.json that can be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    number = model.get("unk_id")  # of Unigram, which names no token
    unknown = model.get("unk_token")
    return tokenizer, number if unknown is None else tokenizer.token_to_id(unknown)


def _dtype(tensor: Any, network: Path) -> type:
    if tensor.type not in _DTYPES:
        raise BundleError(f"{network} takes {tensor.name} as {tensor.type}; expected integers")
    return _DTYPES[tensor.type]


def _length(session: ort.InferenceSession, network: Path, max_tokens: int) -> int:
    """Tokens that it is given: all that it takes, where it has a fixed length."""
    fixed = [size for each in session.get_inputs() if isinstance(size := each.shape[-1], int)]
    if fixed and min(fixed) < max_tokens:
        raise BundleError(f"{network} takes {min(fixed)} tokens; expected {max_tokens} or more")
    return fixed[0] if fixed else max_tokens


def _output(session: ort.InferenceSession, network: Path) -> str:
    outputs = session.get_outputs()
    found = [o.name for o in outputs if o.type == "tensor(float)" and len(o.shape) == 3]
    if _USUAL_OUTPUT in found:
        return _USUAL_OUTPUT
    if len(found) != 1:
        listed = ", ".join(f"{quoted(o.name)} {o.shape}" for o in outputs)
        raise BundleError(
            f"{network} answers {listed}; expected {_USUAL_OUTPUT}, an encoding a token: f32 "
            "[1, tokens, width]. One of the whole sentence alone is of no use"
        )
    return found[0]
