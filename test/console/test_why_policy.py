"""The page "Why" of a policy from pixels: a number of its latest action, by a real child."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import torch
from browser_rig import low_contrasts, opened, overflow_px, wait_until_true
from console_rig import ConsoleRig, console_rig, encoded, perceptions
from pixel_exports import DRIFT, HORIZON, PLACES, SEEN, STEP_S, WORDS

from robot_vision.console.state.policy_moment import PolicyMoment
from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.results.unperceived import unperceived
from robot_vision.core.types import Decision, Frame, Observation, Picture, RobotState
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import Weights, write_weights
from robot_vision.policies.pixels.inputs import pixel_inputs
from robot_vision.training.data.judging.travels import DemonstrationTravels
from robot_vision.training.engine.run import RECIPE, WEIGHTS

# Where other tests run beside, a process that imports torch takes long to start.
_CHILD_S = 300.0
_STAMP_NS = 10**9


def shown(observation: ObservationSpec) -> dict[str, np.ndarray]:
    """A table 1.5 m below the camera, and an arm that looks down, at every step."""
    rgb = np.random.default_rng(0).integers(90, 255, (32, 48, 3), np.uint8)
    base_from_tool = np.diag([1.0, -1.0, -1.0, 1.0])
    base_from_tool[:3, 3] = 0.4, 0.0, 0.3
    robot = RobotState(
        stamp_ns=_STAMP_NS,
        joint_position_rad=np.zeros(1),
        base_from_tool=base_from_tool,
        gripper_open=1.0,
    )
    seen = Picture(stamp_ns=_STAMP_NS, rgb=rgb, depth_m=np.full((32, 48), 1.5, np.float32))
    found = Observation(
        perception=unperceived(Frame(stamp_ns=_STAMP_NS, frame_id="front", rgb=rgb)),
        base_from_camera=np.eye(4),
        robot=robot,
        pictures={"front": (seen,), "wrist": (seen,)},
    )
    return dict(pixel_inputs(found, observation).arrays)


@pytest.fixture(scope="module")
def moment(tmp_path_factory: pytest.TempPathFactory) -> PolicyMoment:
    """What a policy that points has decided, half a second ago; its weights are those of a run."""
    folder = tmp_path_factory.mktemp("runs") / "random"
    folder.mkdir()
    card = MODELS.get("pixel-policy")
    values = {"observation": SEEN.model_dump(), "horizon": HORIZON, "words": 3, **PLACES}
    spec = card.tiny.model_validate(card.tiny.model_dump() | values)
    torch.manual_seed(0)
    policy = card.build(spec).eval()
    inputs = shown(SEEN)
    text = policy.input_shapes["text"].shape
    inputs |= {"text": np.ones((1, *text), np.float32), "text_seen": np.ones((1, text[0]), bool)}
    with torch.no_grad():
        decided = policy({name: torch.from_numpy(value) for name, value in inputs.items()})
    _write_run(folder, policy)
    return PolicyMoment(
        bundle=str(folder),
        spec=ActionSpec(
            model_id="random@1",
            perception_model_id="",
            step_s=STEP_S,
            horizon=HORIZON,
            history=0,
            statistics=DRIFT,
        ),
        decision=Decision(stamp_ns=_STAMP_NS, action=decided["action"][0].numpy(), inputs=inputs),
        age_s=0.5,
    )


def _write_run(folder: Path, policy: Any) -> None:
    (folder / RECIPE).write_text("task: demonstrations\nmodel: pixel-policy\nrun: {steps: 1}\n")
    travels = DemonstrationTravels(
        vocabulary=WORDS,
        poses=policy.spec.poses,
        statistics=DRIFT,
        mean_action=DRIFT.mean,
        observation=SEEN,
        horizon=HORIZON,
        step_s=STEP_S,
    )
    weights = Weights(
        file=folder / WEIGHTS,
        tensors=policy.state_dict(),
        model="pixel-policy",
        spec=policy.spec.model_dump(mode="json"),
        travels=travels.model_dump(mode="json"),
    )
    write_weights(folder / WEIGHTS, weights)


@pytest.fixture(scope="module")
def rig(moment: PolicyMoment) -> Iterator[ConsoleRig]:
    with console_rig(
        fps=5, moment=lambda: moment, why={"limit_s": _CHILD_S, "gap_s": 0.0}
    ) as made:
        yield made


def answer(url: str, body: dict[str, Any]) -> tuple[int, Any]:
    found = requests.post(f"{url}/api/why", json={"model": "policy", **body}, timeout=_CHILD_S)
    return found.status_code, found.json()


def test_the_latest_action_is_shown_in_physical_units(
    rig: ConsoleRig, moment: PolicyMoment
) -> None:
    found = requests.get(f"{rig.url}/api/why/policy", timeout=10).json()
    assert found["names"] == ["x", "y", "z", "rx", "ry", "rz", "gripper"]
    assert found["cameras"] == ["front", "wrist"]
    assert found["age_s"] == 0.5
    assert moment.decision.action is not None
    physical = moment.decision.action[0] * DRIFT.scale + DRIFT.mean
    assert found["action"] == pytest.approx(physical.tolist(), abs=1e-6)


def test_a_number_of_the_decision_is_explained_in_a_camera(
    rig: ConsoleRig, moment: PolicyMoment
) -> None:
    code, why = answer(rig.url, {"target": "action:2,z", "ways": ["pointing", "occlusion"]})
    assert code == 200, why
    assert moment.decision.action is not None
    # The child decides as the policy did: it was given the same moment.
    assert why["target"] == f"z of step 2, {moment.decision.action[2, 2]:+.2f} (normalised)"
    assert (why["width_px"], why["height_px"], why["age_s"]) == (48, 32, 0.5)
    pointing = why["maps"][0]
    assert pointing["refused"] == ""
    assert "what the words mean" in pointing["about"]
    assert requests.get(rig.url + pointing["image"], timeout=10).content[1:4] == b"PNG"
    code, why = answer(rig.url, {"camera": "wrist", "ways": ["pointing"]})
    assert code == 200, why
    assert "'wrist' have no depth: it points in front" in why["maps"][0]["refused"]
    assert "gripper" not in why["target"]


def test_what_is_not_there_is_refused_in_words(rig: ConsoleRig) -> None:
    code, found = answer(rig.url, {"target": "action:0,knee"})
    assert (code, "expected one of x, y, z" in found["detail"]) == (422, True)
    code, found = answer(rig.url, {"camera": "rear"})
    assert (code, found["detail"]) == (422, "camera 'rear': the policy has front, wrist")
    file = {"image": ("a.png", encoded(".png", perceptions()[0].frame.rgb))}
    sent = requests.post(
        f"{rig.url}/api/why/picture", files=file, data={"model": "policy"}, timeout=10
    )
    assert (sent.status_code, "more than a picture" in sent.text) == (422, True)


def test_without_a_policy_it_says_so(moment: PolicyMoment) -> None:
    with console_rig(fps=5) as rig:
        code, found = answer(rig.url, {})
        assert (code, "no policy has decided" in found["detail"]) == (422, True)
    blind = PolicyMoment(
        bundle="policy-s",
        spec=moment.spec,
        decision=Decision(stamp_ns=0, action=None),
        age_s=0.0,
    )
    with console_rig(fps=5, moment=lambda: blind) as rig:
        code, found = answer(rig.url, {})
        assert (code, "policy-s decides by no pictures" in found["detail"]) == (422, True)


def test_a_click_on_a_number_of_the_action_shows_maps(
    chromium: Any, rig: ConsoleRig, tmp_path: Path
) -> None:
    with opened(chromium, f"{rig.url}/why") as page:
        page.click("#model button[value=policy]")
        wait_until_true(page, "document.querySelectorAll('#numbers button').length === 7")
        assert page.inner_text("#numbers button:nth-child(3)").startswith("z ")
        assert page.inner_text("#numbers button:nth-child(3)").endswith(" mm")
        page.click("#ways button[value=pointing]")
        page.click("#numbers button:nth-child(3)")
        page.wait_for_selector("#maps figure:nth-child(3)", timeout=_CHILD_S * 1000)
        assert "says z of step 0" in page.inner_text("#about")
        assert "Pointing" in page.inner_text("#maps")
        assert overflow_px(page) <= 0
        assert low_contrasts(page) == []
        page.screenshot(path=str(tmp_path / "why.png"), full_page=True)
