"""Who imports whom, read from the sources without running them."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

NAME = "robot_vision"
Graph = Mapping[str, Set[str]]


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Modules that a file names in imports; of `from a import b` that is `a`."""
    tree = ast.parse(path.read_text())
    found = _statements(tree.body) if top_level_only else ast.walk(tree)
    names: set[str] = set()
    for node in found:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return names


def module_graph(package: Path) -> dict[str, set[str]]:
    """For each module of the package those that it imports while it is imported itself."""
    files = {_module_of(path, package): path for path in sorted(package.rglob("*.py"))}
    return {
        name: set(_own_imports(_statements(ast.parse(path.read_text()).body), set(files))) - {name}
        for name, path in files.items()
    }


def package_graph(package: Path) -> dict[str, Counter[str]]:
    """For each part of the package the others that its files import, and in how many statements.

    A part is a folder or a file below `package`. Imports inside functions count.
    """
    files = {_module_of(path, package): path for path in package.rglob("*.py")}
    graph: dict[str, Counter[str]] = {}
    for name, path in sorted(files.items()):
        if name == NAME:
            continue
        part = name.split(".")[1]
        imported = _own_imports(ast.walk(ast.parse(path.read_text())), set(files))
        graph.setdefault(part, Counter()).update(
            other.split(".")[1]
            for other in imported
            if other != NAME and other.split(".")[1] != part
        )
    return graph


def knots(graph: Graph) -> list[list[str]]:
    """Groups of nodes that reach each other: strongly connected ones (Tarjan, 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        path.append(node)
        for other in graph.get(node, ()):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in path:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            start = path.index(node)
            if len(path) - start > 1:
                found.append(sorted(path[start:]))
            del path[start:]

    for node in graph:
        if node not in order:
            visit(node)
    return found


def _statements(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What runs at import: no bodies of functions, nothing that is for type checkers alone."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _statements(node.orelse)
            continue
        yield node
        for block in ("body", "orelse", "finalbody", "handlers"):
            for inner in getattr(node, block, []):
                yield from _statements(inner.body if block == "handlers" else [inner])


def _own_imports(nodes: Iterator[ast.AST], modules: set[str]) -> Iterator[str]:
    """Modules of the package, one for each name that an import statement brings."""
    for node in nodes:
        if isinstance(node, ast.Import):
            named = [{alias.name} for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules
            named = [{module} for module in inner] or [{node.module}]
        else:
            continue
        for names in named:
            yield from names & modules


def _module_of(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
