import numpy as np
import pytest

pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)

from robot_vision.core.parameters.groups.policy_config import SafetyConfig
from robot_vision.simulation.robot.build import build_world
from robot_vision.simulation.robot.episode import Noise, run_expert
from robot_vision.simulation.robot.expert.plan import plan
from robot_vision.simulation.robot.work.drawn_tasks import absent_task, build_task_world, draw_task
from robot_vision.simulation.robot.work.task import DIRECTIONS, KINDS, Kind, Task
from robot_vision.simulation.robot.work.tasks import possible_tasks, success
from robot_vision.simulation.robot.world import RobotWorld

SEEDS = range(100, 104)


def make(kind: Kind, seed: int) -> tuple[RobotWorld, Task]:
    return build_task_world(np.random.default_rng(seed), split="train", kind=kind)


def finish(world: RobotWorld, task: Task, noise: Noise | None = None, seed: int = 0) -> bool:
    rng = np.random.default_rng(seed)
    ticks = list(run_expert(world, task, rng=rng, **({"noise": noise} if noise else {})))
    assert [tick.done for tick in ticks] == [False] * (len(ticks) - 1) + [True]
    return ticks[-1].success


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_expert_does_what_is_asked(kind: Kind, seed: int) -> None:
    world, task = make(kind, seed)
    assert not success(world, task)
    assert finish(world, task)


@pytest.mark.parametrize("kind", KINDS)
def test_the_expert_recovers_from_what_goes_wrong(kind: Kind) -> None:
    done = [finish(*make(kind, seed), noise=Noise(), seed=seed) for seed in range(200, 206)]
    assert sum(done) >= 5


def test_what_is_dropped_is_picked_again() -> None:
    world, task = make("pick", 7)
    rng = np.random.default_rng(0)
    dropped = False
    for tick in run_expert(world, task, rng=rng):
        if not dropped and tick.success:
            world.command(world.base_from_tool, 1.0)
            world.step(0.4)
            dropped = not success(world, task)
    assert dropped
    assert tick.success


def test_a_scene_allows_many_tasks_and_each_can_be_asked_about() -> None:
    limits = SafetyConfig()
    world, _ = make("put", 11)
    tasks = possible_tasks(world)
    assert len(tasks) > 2
    for task in tasks:
        assert not success(world, task)
        poses, gripper = plan(world, task, steps=12, step_s=0.05)
        places = np.concatenate([world.base_from_tool[None, :3, 3], poses[:, :3, 3]])
        speed = np.linalg.norm(np.diff(places, axis=0), axis=1) / 0.05
        assert speed.max() <= limits.max_speed_mps
        velocity = np.diff(places, axis=0) / 0.05
        change = np.linalg.norm(np.diff(velocity, axis=0), axis=1) / 0.05
        assert change.max() <= limits.max_acceleration_mps2
        assert set(gripper) <= {0.0, 1.0}
        np.testing.assert_allclose(np.linalg.det(poses[:, :3, :3]), 1)


def test_a_plan_leaves_the_world_as_it_was() -> None:
    world, task = make("pick", 3)
    before = world.data.qpos.copy(), world.data.qvel.copy(), world.time_s
    first, second = plan(world, task), plan(world, task)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(world.data.qpos, before[0])
    np.testing.assert_array_equal(world.data.qvel, before[1])
    assert world.time_s == before[2]


def test_another_instruction_leads_elsewhere() -> None:
    world, _ = make("pick", 21)
    tasks = [task for task in possible_tasks(world) if task.kind == "pick"]
    assert len(tasks) > 1
    ends = [plan(world, task, steps=40)[0][-1, :2, 3] for task in tasks]
    for task, end in zip(tasks, ends, strict=True):
        place = world.base_from_item(task.target.item)[:2, 3]
        assert np.linalg.norm(end - place) < 0.03


def test_pushing_goes_the_way_that_is_asked() -> None:
    seen = set()
    for seed in range(300, 312):
        world, task = make("push", seed)
        assert task.direction is not None
        if task.direction in seen:
            continue
        seen.add(task.direction)
        assert finish(world, task)
        moved = world.base_from_item(task.target.item)[:2, 3] - np.array(task.start_m)
        assert moved @ DIRECTIONS[task.direction] > 0.1
    assert seen == set(DIRECTIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_words_that_name_nothing_name_nothing(kind: Kind) -> None:
    for seed in range(5):
        world, _ = make(kind, seed)
        task = absent_task(world, np.random.default_rng(seed), kind=kind)
        present = [(item.class_name, item.color_name) for item in world.items]
        assert (task.target.class_name, task.target.color_name) not in present
        assert not success(world, task)
        with pytest.raises(ValueError, match="there is no"):
            plan(world, task)


def test_a_kind_that_is_impossible_here_is_refused() -> None:
    for seed in range(50):
        world = build_world(np.random.default_rng(seed), split="train", kind="pick")
        if not any(task.kind == "put" for task in possible_tasks(world)):
            with pytest.raises(ValueError, match="no task of kind put"):
                draw_task(world, np.random.default_rng(0), kind="put")
            return
    raise AssertionError("every scene allowed a put")
