"""The words that a model was taught."""

from pydantic import BaseModel, ConfigDict, Field


class Vocabulary(BaseModel):
    """The words a model was taught; all lower case. Word k has token k + 1, 0 is padding.

    `things` are those that name objects, `actions` those that say what to do; empty where a text
    need hold neither.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: tuple[str, ...]
    things: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    max_words: int = Field(default=24, ge=1, le=128, description="longest text")
