"""Every ROS test is alone in a domain of its own; all are left out where there is no ROS."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

HAS_ROS = find_spec("rclpy") is not None

if HAS_ROS:
    with warnings.catch_warnings():
        # The wheels' message generator imports lark, which imports what Python deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        import rosidl_generator_py  # noqa: F401
        from native_bundle import make_native_bundle

        from robot_vision.core.errors import BundleError
    from robot_vision.core.parameters.groups.policy_config import PolicyConfig
    from robot_vision.model_store.policies import find_policy
    from robot_vision.ros.tools.processes import free_domain
else:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_collectionfinish() -> str:
    return "" if HAS_ROS else "test/ros is left out: ROS 2 is not installed (extra 'ros')"


@pytest.fixture(autouse=True)
def own_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(free_domain()))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@pytest.fixture(scope="session")
def native_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny multi-task model that always sees a cube in the middle."""
    return make_native_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def policy_bundle() -> Path:
    """The shipped policy."""
    try:
        return find_policy(PolicyConfig().policy).path
    except BundleError as error:
        pytest.skip(f"no policy is shipped: {error}")
