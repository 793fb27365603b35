"""The policy that the parameters name: loaded, checked against robot and perception."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rclpy.parameter import Parameter

from robot_vision.core.cameras.camera_mount import CameraMount
from robot_vision.core.interfaces import Policy
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.parameters.values import flatten
from robot_vision.policies.guards.check import check_observation, check_points, check_spec
from robot_vision.policies.registry import load_policy
from robot_vision.ros.perception.node import PerceptionNode


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedPolicy:
    """A policy and its training setup: classes by number, parameters by dotted name.

    `observation` is the input of a policy from pixels; None for one that takes perception alone.
    `camera_mounts` say where cameras were in training.
    """

    policy: Policy
    class_names: tuple[str, ...]
    perception: Mapping[str, Any] = field(default_factory=dict)
    observation: ObservationSpec | None = None
    camera_mounts: Mapping[str, CameraMount] = field(default_factory=dict)

    @property
    def needs_perception(self) -> bool:
        """Whether the policy takes results of perception."""
        return self.observation is None or bool(self.observation.perception)


LoadPolicy = Callable[[PolicyNodeConfig], LoadedPolicy]


def load(config: PolicyNodeConfig) -> LoadedPolicy:
    """The bundle that the parameters name, loaded and warm."""
    policy = load_policy(config.policy, threads=config.threads)
    manifest = policy.manifest
    return LoadedPolicy(
        policy=policy,
        class_names=manifest.class_names,
        perception=manifest.perception,
        observation=manifest.observation,
        camera_mounts=manifest.camera_mounts,
    )


def check_loaded(
    loaded: LoadedPolicy, config: PolicyNodeConfig, *, perception_model_id: str
) -> None:
    """Raises where the policy means something else than robot or perception expect.

    `perception_model_id` is the model of a perception node in this process; empty if none runs.
    """
    spec, expected = loaded.policy.spec, config.expected
    model_id = perception_model_id if loaded.needs_perception else ""
    check_spec(spec, perception_model_id=model_id or None, **expected.action_values())
    check_observation(
        spec,
        loaded.observation,
        cameras=tuple(expected.cameras) or None,
        rate_hz=expected.rate_hz or None,
    )
    check_points(loaded.policy, config.pointing)


def perceive_as_in_training(
    perception: PerceptionNode, wanted: Mapping[str, Any], log: Any
) -> None:
    """Set perception's parameters to those of training: others would show other objects.

    Both what was set and what was refused are logged.
    """
    present = flatten(perception.config)
    for name, value in wanted.items():
        if present[name] == value:
            continue
        (result,) = perception.set_parameters([Parameter(name, value=value)])
        if result.successful:
            log.info(f"perception takes {name} = {value!r}, as in training")
        else:
            log.warning(
                f"the policy was trained with {name} = {value!r}; perception runs with "
                f"{present[name]!r}: {result.reason}"
            )
