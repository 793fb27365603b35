"""A policy's manifest names the kind that runs it; a kind is one file, found unlisted."""

import shutil
import sys
from pathlib import Path

import pytest
import yaml

import robot_vision.policies
from robot_vision.core.discovery import import_all
from robot_vision.core.errors import BundleError
from robot_vision.model_store.policies import find_policy
from robot_vision.policies.onnx_policy import OnnxPolicy
from robot_vision.policies.registry import POLICIES, load_policy

MODULE = """
from robot_vision.core.types import Decision, Instruction
from robot_vision.policies.registry import POLICIES
import numpy as np


class Still:
    provider = "cpu"

    def __init__(self, bundle, *, threads, spin):
        self.manifest, self.spec = bundle.manifest, bundle.manifest.action_spec
        self.threads = threads

    def instruct(self, text):
        tokens, encoding = np.zeros(1, np.int64), np.zeros((1, 4), np.float32)
        return Instruction(text=text, tokens=tokens, encoding=encoding)

    def decide(self, observation, instruction):
        return Decision(stamp_ns=observation.stamp_ns, action=None, hold_reason="still")

    def close(self):
        pass


POLICIES.register("still")(Still)
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the shipped policy."""
    return Path(shutil.copytree(find_policy("policy-s").path, tmp_path / "policy"))


def set_kind(bundle: Path, kind: str) -> None:
    file = bundle / "policy.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"kind": kind}))


def test_the_shipped_policy_decides_by_tokens() -> None:
    policy = load_policy("policy-s", threads=1)
    assert isinstance(policy, OnnxPolicy)
    assert policy.manifest.kind == "tokens"
    assert policy.spec == policy.manifest.action_spec
    policy.close()


def test_a_file_is_a_kind_of_policy(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "still.py").write_text(MODULE)
    known = {name: POLICIES.get(name) for name in POLICIES}
    package = robot_vision.policies
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / "policies")])
    monkeypatch.setattr(POLICIES, "_items", known)
    monkeypatch.delitem(sys.modules, "robot_vision.policies.still", raising=False)
    import_all.cache_clear()
    set_kind(bundle, "still")
    policy = load_policy(str(bundle), threads=1)
    assert type(policy).__name__ == "Still"
    assert policy.instruct("wait").text == "wait"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("token", "unknown kind of policy 'token'; available: .*did you mean 'tokens'"),
        ("os.system", "kind = 'os.system'"),
    ],
)
def test_an_unknown_kind_lists_those_there_are(bundle: Path, kind: str, message: str) -> None:
    set_kind(bundle, kind)
    with pytest.raises(BundleError, match=message):
        load_policy(str(bundle))
