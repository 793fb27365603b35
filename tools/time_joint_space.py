"""Times a joint-space step, and compares it with pinocchio if installed.

    python tools/time_joint_space.py arm.urdf BASE_LINK TOOL_LINK

Times are the thread's CPU time, independent of other load.
"""

import sys
from pathlib import Path
from time import thread_time

import numpy as np

from robot_vision.arm.kinematics import read_chain
from robot_vision.core.parameters.groups.joint_config import JointSpaceConfig
from robot_vision.core.types import RobotState
from robot_vision.policies.control.joint_motion import JointMotion

STEPS, PERIOD_S = 2000, 0.01


def main(path: str, base: str, tool: str) -> None:
    motion = JointMotion(
        read_chain(Path(path).read_text(), base_link=base, tool_link=tool),
        JointSpaceConfig(enabled=True),
        period_s=PERIOD_S,
    )
    print(f"{path}: {', '.join(motion.arm.joint_names)}")
    print(f"a whole step, ms: {_percentiles(_steps(motion))}")
    postures = _random(motion, 500)
    print(f"pose and Jacobian, ms: {_percentiles(_times(motion.arm.posture, postures))}")
    try:
        import pinocchio
    except ImportError:
        print("pinocchio is not installed: nothing to compare with")
        return
    model = pinocchio.buildModelFromUrdf(path)
    data, frame = model.createData(), model.getFrameId(tool)
    root = model.getFrameId(base)
    names = [model.names[k] for k in range(1, model.njoints)]
    if set(names) != set(motion.arm.joint_names):
        chain = set(motion.arm.joint_names)
        locked = [k for k in range(1, model.njoints) if model.names[k] not in chain]
        model = pinocchio.buildReducedModel(model, locked, pinocchio.neutral(model))
        data, frame, root = model.createData(), model.getFrameId(tool), model.getFrameId(base)

    def theirs(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        jacobian = pinocchio.computeFrameJacobian(
            model, data, joints, frame, pinocchio.LOCAL_WORLD_ALIGNED
        )
        pinocchio.updateFramePlacements(model, data)
        world_from_base = data.oMf[root]
        turn = np.kron(np.eye(2), world_from_base.rotation.T)
        return (world_from_base.inverse() * data.oMf[frame]).homogeneous, turn @ jacobian

    print(f"pinocchio's, ms: {_percentiles(_times(theirs, postures))}")
    pose_away = jacobian_away = 0.0
    for joints in postures:
        ours, (pose, jacobian) = motion.arm.posture(joints), theirs(joints)
        pose_away = max(pose_away, abs(ours.base_from_tool - pose).max())
        jacobian_away = max(jacobian_away, abs(ours.jacobian - jacobian).max())
    print(f"largest difference: pose {pose_away:.2g}, Jacobian {jacobian_away:.2g}")


def _steps(motion: JointMotion) -> list[float]:
    """Seconds of each step on a circle from the middle of the limits."""
    rest = _random(motion, 1)[0] * 0.2 + motion._rest * 0.8
    pose = motion.start(
        RobotState(
            stamp_ns=1,
            joint_position_rad=rest,
            base_from_tool=np.eye(4),
            gripper_open=1.0,
            joint_names=motion.arm.joint_names,
        )
    )
    taken = []
    for step in range(STEPS):
        angle, target, twist = 0.01 * step, pose.copy(), np.zeros(6)
        target[:2, 3] += 0.03 * np.array([np.cos(angle) - 1, np.sin(angle)])
        twist[:2] = 0.03 * np.array([-np.sin(angle), np.cos(angle)])
        start_s = thread_time()
        motion.advance(PERIOD_S, target, twist)
        taken.append(thread_time() - start_s)
        motion.hold = None
    return taken


def _random(motion: JointMotion, count: int) -> np.ndarray:
    lower = np.maximum(motion.limits.lower, -np.pi)
    upper = np.minimum(motion.limits.upper, np.pi)
    return np.random.default_rng(0).uniform(lower, upper, (count, len(lower)))


def _times(of, postures: np.ndarray) -> list[float]:
    taken = []
    for joints in postures:
        start_s = thread_time()
        of(joints)
        taken.append(thread_time() - start_s)
    return taken


def _percentiles(seconds: list[float]) -> str:
    median, most = np.percentile(np.array(seconds[20:]) * 1e3, [50, 95])
    return f"median {median:.3f}, 95th percentile {most:.3f}"


if __name__ == "__main__":
    main(*sys.argv[1:])
