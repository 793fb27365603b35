"""Goals of an action: sent without waiting, the newest counts, what fails is said and kept."""

from types import SimpleNamespace
from typing import Any

import pytest

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.groups.joint_config import JointSpaceConfig
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.ros.policy.actions.action_outputs import action_type
from robot_vision.ros.policy.actions.goals import Goals

pytestmark = pytest.mark.ros

SUCCEEDED, CANCELED, ABORTED = 4, 5, 6


class Answer:
    """A future that the test answers."""

    def __init__(self) -> None:
        self._callbacks: list[Any] = []
        self._value: Any = None

    def add_done_callback(self, callback: Any) -> None:
        self._callbacks.append(callback)

    def give(self, value: Any) -> None:
        self._value = value
        for callback in self._callbacks:
            callback(self)

    def result(self) -> Any:
        return self._value

    def cancelled(self) -> bool:
        return False

    def exception(self) -> None:
        return None


class Handle:
    def __init__(self, *, accepted: bool = True) -> None:
        self.accepted, self.canceled, self.end = accepted, 0, Answer()

    def cancel_goal_async(self) -> None:
        self.canceled += 1

    def get_result_async(self) -> Answer:
        return self.end

    def ends(self, status: int, why: str = "") -> None:
        self.end.give(SimpleNamespace(status=status, result=why))


class Server:
    """The far end of the transport."""

    def __init__(self) -> None:
        self.ready = True
        self.asked: list[tuple[Any, Answer]] = []

    def server_is_ready(self) -> bool:
        return self.ready

    def send_goal_async(self, goal: Any) -> Answer:
        self.asked.append((goal, Answer()))
        return self.asked[-1][1]

    def accepts(self) -> Handle:
        handle = Handle()
        self.asked[-1][1].give(handle)
        return handle


def goals_of(server: Server) -> Goals:
    return Goals(server, "arm/follow", failure=lambda why: why, answer_s=1.0)


def test_a_goal_waits_for_the_answer_to_the_one_before() -> None:
    server = Server()
    goals = goals_of(server)
    assert goals.send("a", 0.0)
    assert not goals.send("b", 0.1)
    server.accepts()
    assert goals.send("b", 0.2)
    assert [goal for goal, _ in server.asked] == ["a", "b"]


def test_what_replaces_a_goal_makes_its_end_no_fault() -> None:
    server = Server()
    goals = goals_of(server)
    goals.send("a", 0.0)
    first = server.accepts()
    goals.send("b", 0.1)
    first.ends(ABORTED, "replaced")
    server.accepts().ends(SUCCEEDED)
    assert goals.problem == ""


def test_a_goal_that_is_rejected_or_aborted_stays_a_problem_until_it_is_cleared() -> None:
    server = Server()
    goals = goals_of(server)
    goals.send("a", 0.0)
    server.asked[-1][1].give(Handle(accepted=False))
    assert goals.problem == "arm/follow rejected the goal"
    goals.look(5.0)
    assert not goals.send("b", 5.0)
    goals.clear()
    assert goals.send("b", 5.1)
    server.accepts().ends(ABORTED, "error -4 path tolerance")
    assert goals.problem == "arm/follow aborted the goal: error -4 path tolerance"


def test_a_cancelled_goal_is_not_a_fault_whenever_it_is_accepted() -> None:
    server = Server()
    goals = goals_of(server)
    goals.send("a", 0.0)
    first = server.accepts()
    goals.cancel()
    assert first.canceled == 1
    first.ends(CANCELED)
    goals.send("b", 0.2)
    goals.cancel()
    late = server.accepts()  # accepted after commands ended
    assert late.canceled == 1
    late.ends(ABORTED, "stopped")
    assert goals.problem == ""


def test_a_server_that_is_absent_or_silent_is_said_and_may_come_back() -> None:
    server = Server()
    goals = goals_of(server)
    server.ready = False
    goals.look(0.0)
    assert goals.problem == "no server of the action arm/follow"
    assert not goals.send("a", 0.0)
    server.ready = True
    goals.look(0.1)
    assert goals.send("a", 0.1)
    goals.look(2.0)
    assert goals.problem == "arm/follow does not answer a goal for 1 s"
    server.accepts()
    goals.look(2.1)
    assert goals.problem == ""


def test_an_action_that_is_not_installed_says_what_to_do() -> None:
    with pytest.raises(
        ConfigError, match=r"control_msgs/NoSuch is not installed.*gripper\.action"
    ):
        action_type("NoSuch", "gripper.action: none")


def test_parameters_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="also set enabled: true"):
        JointSpaceConfig(output="action")
    with pytest.raises(ValueError, match="action"):
        PolicyNodeConfig.model_validate({"gripper": {"action": "Grip"}})
