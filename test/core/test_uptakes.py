"""What a new value of a parameter needs, declared with the parameter."""

import pytest

from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.params import Params, Uptake, param
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.parameters.values import flatten, uptakes


class Inner(Params):
    a: int = param(1, "as the group around it")
    b: int = param(1, "its own", uptake=Uptake.LIVE)


class Marked(Inner):
    uptake = Uptake.CONFIGURE


class Outer(Params):
    uptake = Uptake.RELOAD

    plain: Inner = Inner()
    marked: Marked = Marked()


def test_the_nearest_declaration_holds() -> None:
    assert uptakes(Outer()) == {
        "plain.a": Uptake.RELOAD,
        "plain.b": Uptake.LIVE,
        "marked.a": Uptake.CONFIGURE,
        "marked.b": Uptake.LIVE,
    }


def test_a_parameter_without_any_is_an_error() -> None:
    with pytest.raises(AssertionError, match="a has no uptake"):
        uptakes(Inner())


def test_every_parameter_of_perception_has_one() -> None:
    found = uptakes(NodeConfig())
    assert found.keys() == flatten(NodeConfig()).keys()
    expected = {
        "detector.score_threshold": Uptake.LIVE,
        "prompt": Uptake.LIVE,
        "diagnostics.max_age_s": Uptake.LIVE,
        "limits.image_mpx": Uptake.LIVE,
        "grounding_model": Uptake.RELOAD_BESIDE_TRACKS,
        "model": Uptake.RELOAD,
        "device": Uptake.RELOAD,
        "diagnostics.period_s": Uptake.CONFIGURE,
        "tracker.coast_s": Uptake.CONFIGURE,
        "transforms.stale_s": Uptake.CONFIGURE,
        "target_frame": Uptake.CONFIGURE,
    }
    assert {name: found[name] for name in expected} == expected


def test_a_policy_is_configured_again_for_all_of_its_parameters() -> None:
    assert set(uptakes(PolicyNodeConfig()).values()) == {Uptake.CONFIGURE}
