"""Everything that faults act on: the injector, the processes, the console, the graph."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from math import nan
from pathlib import Path
from threading import Event, Thread
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_vision.model_store.store import find_bundle
from robot_vision.ros.messages.convert import header
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.soak.injector import Injector
from robot_vision.ros.tools.monitor import Monitor
from robot_vision.ros.tools.operator import Operator
from robot_vision.soak.checks.console_probe import ConsoleProbe
from robot_vision.soak.fault import Change, Process, Topic
from robot_vision.soak.ledger import Ledger

_ANSWER_S = 60.0


class SoakRig:
    """Implements `soak.fault.Rig`; faults may suspend `processes`.

    `notes` say what could not be done.
    """

    def __init__(
        self,
        *,
        injector: Injector,
        monitor: Monitor,
        operator: Operator,
        console: ConsoleProbe,
        processes: Mapping[Process, int],
        model: str,
        out: Path,
        ledger: Ledger,
    ) -> None:
        self._injector, self._monitor, self._operator = injector, monitor, operator
        self._console, self._processes, self._ledger = console, processes, ledger
        self._models = [str(find_bundle(model).path), model]
        self._out = out
        node = monitor.node
        self._parameters = node.create_client(SetParameters, "/perception/set_parameters")
        self._begin = node.create_client(Trigger, "/demonstrations/begin")
        # A separate publisher: the operator's latches the task's instruction.
        self._words = injector.node.create_publisher(String, "instruction", LATCHED_QOS)
        self._diagnostics = injector.node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.notes: list[str] = []
        self._transforms: Any = None
        with suppress(ImportError):
            from tf2_msgs.msg import TFMessage

            self._transforms = injector.node.create_publisher(TFMessage, "/tf", 10)

    def changed(self, topic: Topic, change: Change) -> AbstractContextManager[None]:
        return self._injector.changed(topic, change)

    def second_tool_pose(self, offset_m: float) -> AbstractContextManager[None]:
        return self._injector.second_tool_pose(offset_m)

    @contextmanager
    def repeating(self, work: Callable[[], object], hz: float) -> Iterator[None]:
        stopping = Event()

        def run() -> None:
            while not stopping.wait(1 / hz):
                work()

        thread = Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    @contextmanager
    def frozen(self, process: Process) -> Iterator[None]:
        pid = self._processes[process]
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def recorder(self) -> Iterator[None]:
        arguments = ["robot_vision", "demonstrations", "record"]
        arguments += ["-p", f"dataset:={self._out / 'demonstrations'}", "-p", "fps:=10"]
        for topic in ("rgb", "camera_info", "camera_pose"):
            arguments += ["-r", f"front/{topic}:=/{topic}"]
        arguments += ["-r", "command/pose:=/policy/command/pose"]
        begun: list[Any] = []

        def begin() -> None:
            if not begun and self._begin.service_is_ready():
                begun.append(self._begin.call_async(Trigger.Request()))

        with self._killed("-m", *arguments, log="recorder.log"), self.repeating(begin, 2):
            yield

    @contextmanager
    def busy_cores(self) -> Iterator[None]:
        with ExitStack() as stack:
            for _ in os.sched_getaffinity(0):
                stack.enter_context(self._killed("-c", "while True: pass"))
            yield

    @contextmanager
    def _killed(self, *arguments: str, log: str = "") -> Iterator[None]:
        """A Python process that ends by SIGKILL."""
        path = self._out / log if log else Path(os.devnull)
        with path.open("a", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments], stdout=output, stderr=subprocess.STDOUT
            )
            try:
                yield
            finally:
                process.kill()
                process.wait()

    def half_requests(self, count: int) -> AbstractContextManager[None]:
        return self._console.half_requests(count)

    def request(self, method: str, path: str, **body: Any) -> None:
        self._console.request(method, path, **body)

    def upload(self, picture: bytes) -> None:
        self._console.upload(picture)

    def instruct(self, text: str) -> None:
        self._words.publish(String(data=text))

    def instruct_task(self) -> None:
        self._operator.instruct(self._operator.task.instruction)

    def another_name_of_the_model(self) -> str:
        self._models.reverse()
        return self._models[1]

    def set_model(self, name: str) -> bool:
        value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=name)
        request = SetParameters.Request(parameters=[Parameter(name="model", value=value)])
        future = self._parameters.call_async(request)
        answered = self._monitor.spin_until(future.done, timeout_s=_ANSWER_S)
        words = f"set_parameters did not answer within {_ANSWER_S:g} s"
        if not self._ledger.check("answers", answered, words):
            return False
        answer = future.result()
        return bool(answer is not None and answer.results[0].successful)

    def teleport(self) -> None:
        self._operator.other_table()

    def publish_diagnostics(self, values: dict[str, str]) -> None:
        strange = DiagnosticStatus(
            level=DiagnosticStatus.OK,
            name="perception: strange",
            message="[red]strange\n\x1b[2J",
            hardware_id="/strange",
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        self._diagnostics.publish(
            DiagnosticArray(header=header(self._injector.now_ns(), ""), status=[strange])
        )

    def publish_transforms(self, count: int) -> None:
        if self._transforms is None:
            note = "transforms_flood: nothing was published, tf2_msgs is not installed"
            self.notes = [note]
            return
        from geometry_msgs.msg import TransformStamped
        from tf2_msgs.msg import TFMessage

        stamp_ns = self._injector.now_ns()
        made = [
            TransformStamped(header=header(stamp_ns, f"strange{k}"), child_frame_id=f"other{k}")
            for k in range(count)
        ]
        made[0].transform.translation.x = nan
        self._transforms.publish(TFMessage(transforms=made))

    def violated(self, invariant: str, words: str) -> None:
        self._ledger.check(invariant, False, words)
