"""What strangers wrote is read within bounds, or refused in words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.files.foreign import (
    inside,
    parse_json,
    parse_yaml,
    quoted,
    read_text,
    read_yaml,
)

BILLION_LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{now}: &{now} [{', '.join(f'*{before}' for _ in range(9))}]\n"
    for before, now in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "", ".", "a\0b"])
def test_a_name_that_leads_out_of_its_root_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ForeignFileError, match="not a file below"):
        inside(tmp_path, name)


def test_a_link_that_leads_out_of_its_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(ForeignFileError):
        inside(tmp_path, "link/passwd")


@given(parts=st.lists(st.sampled_from(["a", "..", ".", "b", ""]), min_size=1, max_size=6))
def test_whatever_is_accepted_lies_below_the_root(parts: list[str]) -> None:
    root = Path("/nowhere/root")
    try:
        found = inside(root, "/".join(parts))
    except ForeignFileError:
        return
    assert found.resolve().is_relative_to(root)


def test_yaml_with_aliases_is_refused_and_says_where() -> None:
    with pytest.raises(ForeignFileError, match=r"alias \(line 2\)"):
        parse_yaml(BILLION_LAUGHS, what="model.yaml")


@pytest.mark.parametrize(
    "text", ["[" * 5000, "a: !!python/object/apply:os.system [ls]", "a: [", "\x01"]
)
def test_other_yaml_that_is_not_plain_data_is_refused(text: str) -> None:
    with pytest.raises(ForeignFileError):
        parse_yaml(text, what="it")


@pytest.mark.parametrize("text", ["[" * 200_000, b"\xff", "1" * 5000, "{", ""])
def test_json_that_python_cannot_take_is_refused(text: str | bytes) -> None:
    with pytest.raises(ForeignFileError, match=r"^it: "):
        parse_json(text, what="it")


def test_text_is_bounded_and_utf8(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xff\xfea")
    with pytest.raises(ForeignFileError, match="UTF-8"):
        read_text(file)
    file.write_bytes(b"#" * 2_000_000)
    with pytest.raises(ForeignFileError, match="larger than 1048576 bytes"):
        read_yaml(file)
    file.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_yaml(file) == {"a": 1}


def test_a_quote_is_one_bounded_line() -> None:
    assert quoted("a\nb\x1b[31m") == r"'a\nb\x1b[31m'"
    assert len(quoted("x" * 10_000)) < 300
