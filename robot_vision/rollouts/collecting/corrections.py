"""Demonstrations in which a policy leads, and the expert labels what it should have done.

DAgger (Ross et al. 2011, arXiv 1011.0686): records the states that the policy reaches. For a
share of the time, in stretches, the expert leads, so that later parts of a task are recorded too.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import ConfigError
from robot_vision.core.interfaces import Policy
from robot_vision.core.types import Decision, Instruction, Observation
from robot_vision.model_store.policies import find_policy
from robot_vision.rollouts.collecting.expert_policy import ExpertPolicy
from robot_vision.rollouts.collecting.labels import steps_between
from robot_vision.rollouts.collecting.leading import draw_delays, policy_leads
from robot_vision.rollouts.evaluating.closed_loop import policy_of
from robot_vision.rollouts.pictures import known_to_stand, must_be_simulated, needs_perception
from robot_vision.rollouts.simulated_perception import SimulatedPerception
from robot_vision.simulation.robot.demonstrate import TAUGHT_STEPS, Job, RecordedEpisode
from robot_vision.simulation.robot.episode import PERIOD_S
from robot_vision.simulation.robot.expert.plan import plan
from robot_vision.simulation.robot.recipe import DemonstrationRecipe
from robot_vision.simulation.robot.work.tasks import success

_STRETCH_S = 1.0


def led_by(
    policy: str,
    expert_share: float,
    recipe: DemonstrationRecipe,
    *,
    fixed_camera: bool | None = None,
) -> DemonstrationRecipe:
    """The recipe with a policy that leads.

    Unless specified, the front camera is fixed for a policy that learnt where
    it is. Raises `ConfigError` for a policy that needs more than pictures, and if the expert
    should lead for a share of the time in joints that it does not know.
    """
    manifest = find_policy(policy).manifest
    shown = manifest.observation
    if shown is None or needs_perception(manifest):
        raise ConfigError(
            f"{manifest.policy_id} needs perception; use `collect --policy` for such policies"
        )
    must_be_simulated(shown)
    if expert_share > 0 and manifest.action_spec.joint_names:
        raise ConfigError(f"{manifest.policy_id} answers in joints: set the expert's share to 0")
    sha256 = manifest.identity or manifest.sha256
    return replace(
        recipe,
        policy=policy,
        policy_sha256=sha256,
        expert_share=expert_share,
        fixed_camera=known_to_stand(manifest) if fixed_camera is None else fixed_camera,
    )


def record_corrected(job: Job) -> Path:
    """Record an episode that a policy leads; returns its folder.

    Each row's action and chunk are the expert's, starting from the current tool pose.
    """
    recipe = job[1]
    policy = policy_of(recipe.policy)
    shown = policy.manifest.observation
    assert shown is not None
    with RecordedEpisode(job) as episode:
        scene = episode.scene
        world, task = scene.world, scene.task
        sight = SimulatedPerception(
            world, None, history=shown.steps - 1, step_s=shown.step_s, shown=shown
        )
        expert = ExpertPolicy(world, task, policy.spec)
        turns = _Turns(policy, expert, share=recipe.expert_share, rng=scene.rng)
        delays = draw_delays(scene.rng)
        for _ in policy_leads(sight, world, task, turns, scene.wordings[0], delays):
            poses, gripper = plan(world, task, steps=TAUGHT_STEPS, step_s=PERIOD_S)
            chunk = steps_between(world.base_from_tool, poses, gripper)
            episode.add(chunk[0].astype(np.float64), poses[0], chunk)
        episode.end(success=success(world, task))
    return episode.folder


class _Turns:
    """Leads like a policy, with the expert taking over for some stretches."""

    def __init__(
        self, policy: Policy, expert: ExpertPolicy, *, share: float, rng: np.random.Generator
    ) -> None:
        self._policy, self._expert = policy, expert
        self._share, self._rng = share, rng
        self._until_ns, self._expert_leads = 0, False
        self.spec, self.provider = policy.spec, policy.provider

    def instruct(self, text: str) -> Instruction:
        return self._policy.instruct(text)

    def decide(self, observation: Observation, instruction: Instruction) -> Decision:
        if observation.stamp_ns >= self._until_ns:
            self._until_ns = observation.stamp_ns + round(_STRETCH_S * NS_PER_S)
            self._expert_leads = bool(self._rng.random() < self._share)
        # always called: it remembers what it saw
        answer = self._policy.decide(observation, instruction)
        return self._expert.decide(observation, instruction) if self._expert_leads else answer

    def close(self) -> None:
        pass
