"""What we use of rclpy's insides is in one file, and is there in the rclpy that is installed.

Where one of these fails after an update of rclpy, its name says what a new release moved.
"""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from threading import Event, Thread

import pytest
import rclpy
from rclpy import executors
from rclpy.context import Context
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from std_msgs.msg import String

from robot_vision.ros.middleware import rclpy_internals
from robot_vision.ros.middleware.rclpy_internals import (
    FewEntitiesExecutor,
    end_context,
    free_state_machine,
    given_parameters,
    is_up,
    lifecycle_state,
)

pytestmark = pytest.mark.ros

ROS = Path(rclpy_internals.__file__).parents[1]
INTERNALS = Path(rclpy_internals.__file__)
# What executors ask a node and a context for.
OF_NODES = {"subscriptions", "waitables", "timers", "clients", "services", "guards"}
OF_CONTEXTS = {"handle", "ok", "on_shutdown"}


@pytest.fixture
def context() -> Iterator[Context]:
    context = Context()
    context.init()
    yield context
    context.try_shutdown()


def test_a_node_knows_what_it_was_given(context: Context) -> None:
    arguments = ["--ros-args", "-p", "cameras.left.rgb:=/left", "-p", "other:=1"]
    node = Node("given", context=context, cli_args=arguments)
    assert {"cameras.left.rgb", "other"} <= set(given_parameters(node))
    node.destroy_node()


def test_an_executor_asks_a_node_and_a_context_for_nothing_else() -> None:
    tree = ast.parse(inspect.getsource(executors))
    waiting = next(
        item
        for item in ast.walk(tree)
        if isinstance(item, ast.FunctionDef) and item.name == "_wait_for_ready_callbacks"
    )
    asked = {
        item.attr
        for item in ast.walk(waiting)
        if isinstance(item, ast.Attribute)
        and isinstance(item.value, ast.Name)
        and item.value.id == "node"
    }
    assert asked == OF_NODES
    of_context = {
        item.attr
        for name in ("__init__", "_wait_for_ready_callbacks")
        for item in ast.walk(_method(tree, "Executor", name))
        if isinstance(item, ast.Attribute) and ast.unparse(item.value) == "self._context"
    }
    assert of_context <= OF_CONTEXTS
    assert "get_nodes" in vars(Executor)
    assert {"condition", "timeout_sec"} <= set(
        inspect.signature(Executor._wait_for_ready_callbacks).parameters
    )


def test_a_context_is_up_by_its_handle_while_another_thread_holds_its_lock(
    context: Context,
) -> None:
    locked, asked = Event(), Event()
    held: list[bool] = []

    def hold() -> None:
        with context._lock:
            locked.set()
            held.append(asked.wait(10))

    thread = Thread(target=hold)
    thread.start()
    locked.wait(10)
    assert is_up(context)
    asked.set()
    thread.join()
    assert held == [True]
    context.try_shutdown()
    assert not is_up(context)
    assert not is_up(Context())


def test_a_context_ends_and_its_nodes_are_left(context: Context) -> None:
    node = rclpy.create_node("left", context=context)
    node.create_publisher(String, "words", 1)
    end_context(context)
    assert not context.ok()
    assert list(node.publishers)
    node.destroy_node()


def test_a_lifecycle_node_has_a_state_machine_that_can_be_let_go_twice(context: Context) -> None:
    node = LifecycleNode("living", context=context)
    assert lifecycle_state(node) == "unconfigured"
    node.trigger_configure()
    assert lifecycle_state(node) == "inactive"
    node.destroy_node()
    free_state_machine(node)
    free_state_machine(node)


def test_few_entities_are_waited_for_with_their_events(context: Context) -> None:
    node = rclpy.create_node("few", context=context)
    subscription = node.create_subscription(
        String,
        "words",
        lambda _: None,
        1,
        event_callbacks=SubscriptionEventCallbacks(message_lost=lambda _: None),
    )
    executor = FewEntitiesExecutor(context)
    executor.serve([subscription])
    (served,) = executor.get_nodes()
    assert list(served.subscriptions) == [subscription]
    assert served.waitables
    assert set(served.waitables) <= set(node.waitables)
    assert all(hasattr(served, name) for name in OF_NODES)
    with pytest.raises(executors.TimeoutException):
        executor.wait_for_ready_callbacks(timeout_sec=0.01)
    executor.shutdown(timeout_sec=0)
    node.destroy_node()


def test_the_errors_of_rclpy_are_errors_of_python() -> None:
    assert issubclass(rclpy_internals.RCLError, RuntimeError)
    assert issubclass(rclpy_internals.InvalidHandle, Exception)


def test_no_other_file_uses_what_rclpy_keeps_to_itself() -> None:
    private = _private_names()
    assert "_state_machine" in private
    used = [
        f"{file.relative_to(ROS)}:{line}: {name}"
        for file in sorted(ROS.rglob("*.py"))
        if file != INTERNALS
        for line, name in _private_uses(ast.parse(file.read_text(encoding="utf-8")), private)
    ]
    assert used == []


def test_no_node_or_executor_of_ours_has_a_field_of_the_name_of_one_of_rclpys() -> None:
    clashes = []
    for file in sorted(ROS.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        module = import_module(".".join(["robot_vision.ros", *_parts(file)]))
        for item in tree.body:
            kind = getattr(module, item.name, None) if isinstance(item, ast.ClassDef) else None
            if not (isinstance(kind, type) and issubclass(kind, Node | SingleThreadedExecutor)):
                continue
            theirs = {
                name
                for base in kind.__mro__
                if base.__module__.startswith("rclpy.")
                for name in _fields(ast.parse(inspect.getsource(base).lstrip()))
            }
            clashes += [f"{kind.__name__}.{name}" for name in sorted(_fields(item) & theirs)]
    assert clashes == []


def _method(tree: ast.AST, kind: str, name: str) -> ast.FunctionDef:
    return next(
        part
        for item in ast.walk(tree)
        if isinstance(item, ast.ClassDef) and item.name == kind
        for part in item.body
        if isinstance(part, ast.FunctionDef) and part.name == name
    )


def _parts(file: Path) -> list[str]:
    parts = list(file.relative_to(ROS).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def _fields(tree: ast.AST) -> set[str]:
    """Private names that methods of the classes in `tree` set on `self`."""
    return {
        item.attr
        for item in ast.walk(tree)
        if isinstance(item, ast.Attribute)
        and isinstance(item.ctx, ast.Store)
        and ast.unparse(item.value) == "self"
        and _is_private(item.attr)
    }


def _defined(tree: ast.AST) -> set[str]:
    functions = {item.name for item in ast.walk(tree) if isinstance(item, ast.FunctionDef)}
    return _fields(tree) | {name for name in functions if _is_private(name)}


def _private_names() -> set[str]:
    """All that rclpy's classes have with an underscore."""
    files = Path(inspect.getfile(rclpy)).parent.rglob("*.py")
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return set().union(*(_defined(tree) for tree in trees))


def _private_uses(tree: ast.AST, private: set[str]) -> Iterator[tuple[int, str]]:
    """Imports of private modules and names of rclpy, and attributes that only rclpy sets."""
    ours = _defined(tree)
    for item in ast.walk(tree):
        if isinstance(item, ast.Import | ast.ImportFrom):
            module = getattr(item, "module", None) or ""
            names = [f"{module}.{alias.name}".strip(".") for alias in item.names]
            for name in names:
                parts = name.split(".")
                if parts[0] == "rclpy" and (any(map(_is_private, parts)) or "impl" in parts):
                    yield item.lineno, name
        elif isinstance(item, ast.Attribute) and item.attr in private - ours:
            yield item.lineno, item.attr
