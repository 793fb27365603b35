"""The simulated robot's time: physics at an even tick, ahead of the clock by the rendering time.

An image shows the world at its stamp, but rendering takes time. So physics runs `lead_s` ahead:
states and images are published when the clock reaches their time, and a command acts `lead_s`
after it came, as a real arm's does.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Event, Lock, Thread
from time import monotonic, sleep

import numpy as np
from jaxtyping import Float64

from robot_vision.core import quaternions
from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.core.parameters.robot_config import RobotSimConfig
from robot_vision.core.types import RobotState
from robot_vision.ros.simulation.scene import Scene

TICK_S = 0.01
_TICK_NS = round(TICK_S * NS_PER_S)
# A machine that is slower than this falls behind the clock, which is reported.
_MOST_BEHIND_S = 0.25
_MOST_AHEAD_S = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmCommand:
    """The latest command, and the gripper.

    A pose to go to, a twist to keep until `until_ns`, or joint positions (rad).
    """

    base_from_tool: Float64[np.ndarray, "4 4"] | None = None
    twist: Float64[np.ndarray, "6"] | None = None
    until_ns: int = 0
    joints: Float64[np.ndarray, " j"] | None = None
    gripper_open: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Exposure:
    """The state of the world at the time of an image."""

    scene: Scene
    places: Float64[np.ndarray, " q"]
    stamp_ns: int


class ExposureSlot:
    """Between physics and cameras: the newest exposure, and whether the last one is done."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._newest: Exposure | None = None
        self._busy = False
        self._closed = False
        self.skipped = 0  # images not rendered because the previous one took too long

    def put(self, exposure: Exposure, *, wait: bool) -> None:
        """Hand over an exposure; with `wait` after the last one is done, else replacing it."""
        with self._changed:
            while wait and (self._busy or self._newest) and not self._closed:
                self._changed.wait()
            self.skipped += self._newest is not None
            self._newest = exposure
            self._changed.notify_all()

    def take(self) -> Exposure | None:
        """The next exposure; None when it is closed."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            while self._newest is None and not self._closed:
                self._changed.wait()
            exposure, self._newest = self._newest, None
            self._busy = True
            return None if self._closed else exposure

    @property
    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Pace:
    """Keeps simulated time in step with the clock: the system's at speed 1, else a scaled one."""

    def __init__(self, speed: float, clock_ns: Callable[[], int]) -> None:
        self._speed, self._clock_ns = speed, clock_ns
        self._start_ns, self._start_s = clock_ns(), monotonic()
        self.behind_s = 0.0

    def now_ns(self) -> int:
        """The clock's time; meaningless at speed 0."""
        if self._speed == 1:
            return self._clock_ns()
        return self._start_ns + round((monotonic() - self._start_s) * self._speed * NS_PER_S)

    def wait_until(self, due_ns: int) -> int:
        """Sleep until `due_ns`; returns that, or the clock's time if that is far from it.

        Then the clock was set, or this machine is too slow: the lost time is in `behind_s`.
        """
        if not self._speed:
            return due_ns
        ahead_s = seconds_between(self.now_ns(), due_ns)
        if ahead_s < -_MOST_BEHIND_S:
            self.behind_s -= ahead_s
        if not -_MOST_BEHIND_S < ahead_s < _MOST_AHEAD_S:
            return self.now_ns()
        sleep(max(ahead_s / self._speed, 0.0))
        return due_ns


class Physics:
    """Runs from `start` to `stop`.

    `clock_ns` is the system's; simulated time follows it if `speed` is 1, else only starts from
    it. `on_tick(now_ns, scene)` is called at every tick, `on_state` with states that are due,
    `on_scene(scene, stamp_ns)` before the first image of a new scene.
    """

    def __init__(
        self,
        scene: Scene,
        config: RobotSimConfig,
        exposures: ExposureSlot,
        *,
        clock_ns: Callable[[], int],
        on_tick: Callable[[int, Scene], None],
        on_state: Callable[[RobotState], None],
        on_scene: Callable[[Scene, int], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._scene, self._config, self._exposures = scene, config, exposures
        self._clock_ns, self._on_tick, self._on_state = clock_ns, on_tick, on_state
        self._on_scene, self._fail = on_scene, fail
        self._lock = Lock()
        self._followed = ArmCommand()
        self._next_scene: Scene | None = None
        self._stopping = Event()
        self.now_ns = clock_ns()
        self.behind_s = 0.0
        self._thread = Thread(target=self._run, name="physics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def follow(self, command: ArmCommand) -> None:
        """Follow this command from the next tick on."""
        with self._lock:
            self._followed = command

    @property
    def followed(self) -> ArmCommand:
        return self._followed

    def put_scene(self, scene: Scene) -> None:
        """Switch to another scene at the next tick, without a command."""
        with self._lock:
            self._next_scene, self._followed = scene, ArmCommand()

    def stop(self) -> None:
        self._stopping.set()
        self._exposures.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._pass_time()
        except Exception as error:  # for the node to end with
            self._fail(error)

    def _pass_time(self) -> None:
        config = self._config
        # At full speed it waits for every image: nothing needs to be ready in advance.
        lead_ns = round(config.lead_s * NS_PER_S) if config.speed else 0
        state_every = max(round(1 / (config.state_hz * TICK_S)), 1)
        picture_every = max(round(1 / (config.camera_hz * TICK_S)), 1)
        states: deque[RobotState] = deque()
        tick, pace = 0, Pace(config.speed, self._clock_ns)
        self.now_ns = pace.now_ns()
        while not self._stopping.is_set():
            now_ns = self.now_ns
            scene = self._present_scene(now_ns + lead_ns)
            if tick % picture_every == 0:
                shown = Exposure(scene=scene, places=scene.places(), stamp_ns=now_ns + lead_ns)
                self._exposures.put(shown, wait=config.speed == 0)
            if tick % state_every == 0:
                states.append(scene.world.state(now_ns + lead_ns))
            while states and states[0].stamp_ns <= now_ns:
                self._on_state(states.popleft())
            self._on_tick(now_ns, scene)
            self._obey(scene, now_ns)
            scene.world.step(TICK_S)
            tick, self.now_ns = tick + 1, pace.wait_until(now_ns + _TICK_NS)
            self.behind_s = pace.behind_s

    def _present_scene(self, first_ns: int) -> Scene:
        """The present scene; a new one is announced before its first image, of this stamp."""
        with self._lock:
            is_new = self._next_scene is not None
            if self._next_scene is not None:
                self._scene, self._next_scene = self._next_scene, None
            scene = self._scene
        if is_new:
            self._on_scene(scene, first_ns)
        return scene

    def _obey(self, scene: Scene, now_ns: int) -> None:
        command, world = self._followed, scene.world
        target = command.base_from_tool
        if command.twist is not None:
            target = world.base_from_commanded
            if now_ns < command.until_ns:
                target = moved(target, command.twist, seconds=TICK_S)
        if command.joints is not None:
            world.command_joints(command.joints, command.gripper_open)
        elif target is not None:
            world.command(target, command.gripper_open)


def moved(
    base_from_tool: Float64[np.ndarray, "4 4"], twist: Float64[np.ndarray, "6"], *, seconds: float
) -> Float64[np.ndarray, "4 4"]:
    """The pose after moving with a twist (linear, then angular, in base axes) for some time."""
    turned = quaternions.multiply(
        quaternions.exp(twist[3:] * seconds), quaternions.from_matrix(base_from_tool[:3, :3])
    )
    return quaternions.pose_matrix(base_from_tool[:3, 3] + twist[:3] * seconds, turned)
