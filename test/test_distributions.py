"""What a distribution of ROS needs: constraints, and a place for each requirement to come from."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
DISTROS = ("humble", "jazzy", "kilted", "lyrical", "rolling")
# Keys of rosdep whose names differ from those of PyPI.
KEYS = {"opencv-python-headless": "python3-opencv", "PyYAML": "python3-yaml"}


def bounds(distro: str) -> str:
    """The constraints of a distribution, with those that they take from another."""
    text = (ROOT / "constraints" / f"{distro}.txt").read_text()
    return re.sub(r"^-c (\w+)\.txt$", lambda other: bounds(other[1]), text, flags=re.MULTILINE)


def requirements() -> set[str]:
    """Names in install_requires; onnxruntime is left out of it on request."""
    setup = (ROOT / "setup.py").read_text()
    listed = setup[setup.index("install_requires=[") : setup.index("extras_require=")]
    return set(re.findall(r'"([A-Za-z][\w-]*)', listed)) | {"onnxruntime"}


@pytest.mark.parametrize("distro", DISTROS)
def test_constraints_follow_the_numpy_of_the_distribution(distro: str) -> None:
    text = bounds(distro)
    (numpy,) = re.findall(r"^numpy(.*)$", text, re.MULTILINE)
    if distro in ("lyrical", "rolling"):
        assert numpy == ">=2,<3"
    else:
        assert re.fullmatch(r">=1\.\d+,<(2|1\.25)", numpy)
        assert re.search(r"^opencv-python-headless.*<4\.12$", text, re.MULTILINE)


def test_every_requirement_has_a_key_of_rosdep_or_is_said_to_have_none() -> None:
    package = ElementTree.parse(ROOT / "package.xml").getroot()  # noqa: S314 - our own file
    keys = {element.text for element in package.findall("exec_depend")}
    table = (ROOT / "docs/distributions.md").read_text().partition("| key of rosdep |")[2]
    without = set(re.findall(r"`([\w-]+)`", table.partition("\n\n")[0]))
    for name in requirements():
        assert KEYS.get(name, f"python3-{name.lower()}") in keys or name in without, name


def test_no_key_is_one_that_bloom_refuses() -> None:
    package = ElementTree.parse(ROOT / "package.xml").getroot()  # noqa: S314 - our own file
    assert not [e.text for e in package.findall("exec_depend") if (e.text or "").endswith("-pip")]
