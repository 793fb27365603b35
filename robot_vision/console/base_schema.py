"""What the models of the console's API share: bounded numbers and shapes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from robot_vision.core.files.json_form import Figure

Finite = Annotated[float, Field(allow_inf_nan=False)]
Point = Annotated[list[Figure], Field(min_length=3, max_length=3)]
Square = Annotated[list[Point], Field(min_length=3, max_length=3)]
# Pairs of places in an object's keypoints.
Bones = Annotated[list[tuple[int, int]], Field(max_length=1000)]
Polygon = Annotated[list[tuple[Figure, Figure]], Field(max_length=10_000)]


class Model(BaseModel):
    """What the server says: unknown fields do not exist."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


def printable(text: str) -> str:
    """Words go to logs and to other programs: nothing in them may be taken for control."""
    if not text.isprintable():
        raise ValueError("only printable characters are taken, in one line")
    return text
