"""The words that a model was trained on."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

MOST_WORDS: Final = 128


class Vocabulary(BaseModel):
    """The words a model was trained on, all lower case. Word k has token k + 1, 0 is padding.

    `things` name objects, `actions` say what to do; empty if a text needs neither.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: tuple[str, ...]
    things: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    max_words: int = Field(default=24, ge=1, le=MOST_WORDS, description="longest text")
