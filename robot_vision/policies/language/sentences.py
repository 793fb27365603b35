"""A frozen encoder of sentences: tokenizer and ONNX network, the same in training and service.

A sentence becomes one encoding per token instead of one in total: so single words can direct
attention within a picture, like those of a policy's own vocabulary, and the encoder's pooling,
which varies, need not be known.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from jaxtyping import Float32, Int64

from robot_vision.core.errors import BundleError, ForeignFileError
from robot_vision.core.files.foreign import parse_json, quoted, read_text
from robot_vision.core.types import Instruction
from robot_vision.model_store.policies import PolicyBundle
from robot_vision.policies.language.vocabulary import meant_among, split_words
from robot_vision.policies.session import open_policy_session

MOST_TOKENIZER_BYTES = 32 * 2**20
# No sentence is longer; the tokenizer need not read more.
MOST_LETTERS = 2000
_INPUTS = ("input_ids", "attention_mask")
_SEGMENTS = "token_type_ids"
_USUAL_OUTPUT = "last_hidden_state"
_DTYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedSentence:
    """Tokens of a sentence, the encoding of each, and the words unknown to the tokenizer."""

    tokens: Int64[np.ndarray, " l"]
    encoding: Float32[np.ndarray, "l d"]
    unknown_words: tuple[str, ...]


class SentenceEncoder:
    """Raises `BundleError` if network and tokenizer cannot be loaded or do not belong together.

    The network takes `input_ids`, `attention_mask` and perhaps `token_type_ids`, and outputs f32
    [1,l,d]: `last_hidden_state`, or its only output with three axes. It always gets `max_tokens`
    tokens, those beyond the sentence masked. `width` is d.
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
        """Text of only punctuation has no tokens. Raises `ValueError` for text that is too
        long."""
        nothing = np.zeros((0, self.width), np.float32)
        if not split_words(text):
            return EncodedSentence(
                tokens=np.zeros(0, np.int64), encoding=nothing, unknown_words=()
            )
        if len(text) > MOST_LETTERS:
            raise ValueError(f"{len(text)} characters; expected at most {MOST_LETTERS}")
        found = self._tokenizer.encode(text)
        if len(found.ids) > self.max_tokens:
            raise ValueError(
                f"{len(found.ids)} tokens in {quoted(text)}; expected at most {self.max_tokens}"
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
        """Try the last token of the tokenizer, which the network must know; returns the width
        of its output."""
        count = self._tokenizer.get_vocab_size()
        try:
            answer = self._run(np.array([count - 1]))
        except Exception as error:  # ONNX Runtime's exceptions share only this base class
            raise BundleError(
                f"{self._of} does not accept the last of the {count} tokens of its tokenizer: "
                f"the two do not belong together, or it cannot take {self.max_tokens} tokens "
                f"({error})"
            ) from error
        if answer.ndim != 2 or len(answer) < self.max_tokens or not np.isfinite(answer[0]).all():
            raise BundleError(
                f"{self._of} outputs shape {answer.shape} for {self.max_tokens} tokens; expected "
                "finite numbers for each token"
            )
        return answer.shape[1]


def bundled_encoder(bundle: PolicyBundle) -> SentenceEncoder:
    """The encoder of a policy's bundle. Raises `BundleError` if there is none that works."""
    network, tokenizer = bundle.language_path, bundle.tokenizer_path
    said = bundle.manifest.sentences
    if said is None or network is None or tokenizer is None:
        raise BundleError(f"{bundle.path} has no sentence encoder")
    encoder = SentenceEncoder(network, tokenizer, max_tokens=said.max_tokens)
    if encoder.width != said.width:
        raise BundleError(
            f"{network} gives {encoder.width} numbers per token; policy.yaml says {said.width}: "
            "export the policy again"
        )
    return encoder


class SentenceWords:
    """Encodes whole sentences by the frozen encoder in a policy's bundle; see
    `policies.words.Words`."""

    def __init__(self, bundle: PolicyBundle) -> None:
        self._encoder = bundled_encoder(bundle)

    def instruct(self, text: str) -> Instruction:
        """Encode an instruction once, when it arrives. `problem` is set if it cannot be
        followed."""
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
    """The tokenizer, and its token for unknown words."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise BundleError(
            "a policy with sentences needs the package `tokenizers`: pip install "
            "'robot_vision[sentences]'"
        ) from error
    try:
        text = read_text(file, most_bytes=MOST_TOKENIZER_BYTES)
        model = parse_json(text, what=str(file)).get("model", {})
        tokenizer = Tokenizer.from_str(text)
    except ForeignFileError as error:
        raise BundleError(str(error)) from error
    except Exception as error:  # the library's exceptions have no other base class
        raise BundleError(f"{file} is not a readable tokenizer.json: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    number = model.get("unk_id")  # for Unigram models, which name no unknown token
    unknown = model.get("unk_token")
    return tokenizer, number if unknown is None else tokenizer.token_to_id(unknown)


def _dtype(tensor: Any, network: Path) -> type:
    if tensor.type not in _DTYPES:
        raise BundleError(
            f"{network} has input {tensor.name} of type {tensor.type}; expected integers"
        )
    return _DTYPES[tensor.type]


def _length(session: ort.InferenceSession, network: Path, max_tokens: int) -> int:
    """Number of tokens to pass: the network's fixed length, if it has one."""
    fixed = [size for each in session.get_inputs() if isinstance(size := each.shape[-1], int)]
    if fixed and min(fixed) < max_tokens:
        raise BundleError(f"{network} takes {min(fixed)} tokens; expected at least {max_tokens}")
    return fixed[0] if fixed else max_tokens


def _output(session: ort.InferenceSession, network: Path) -> str:
    outputs = session.get_outputs()
    found = [o.name for o in outputs if o.type == "tensor(float)" and len(o.shape) == 3]
    if _USUAL_OUTPUT in found:
        return _USUAL_OUTPUT
    if len(found) != 1:
        listed = ", ".join(f"{quoted(o.name)} {o.shape}" for o in outputs)
        raise BundleError(
            f"{network} outputs {listed}; expected {_USUAL_OUTPUT}, one encoding per token: f32 "
            "[1, tokens, width]. A single encoding of the whole sentence is not supported"
        )
    return found[0]
