"""Whether this process may load model files that can run code: `--allow-code`, and nothing else.

Some model files are programs: their author can do anything that the user who loads them can. So a
person grants the permission on the command line of the loading command, for that process and the
children it starts on purpose. No parameter, launch file, environment variable or console request
can set it: this module reads nothing, and only `commands/` and code that passes the permission to
a child call `permit_code` (enforced by `test/test_walls.py`).
"""

OPTION = "--allow-code"

_permitted = False


def permit_code(permitted: bool) -> None:
    """Set the permission from the command line, for the whole process."""
    global _permitted
    _permitted = permitted


def code_is_permitted() -> bool:
    """Whether the command line of this process allows model files that can run code."""
    return _permitted


def code_arguments() -> list[str]:
    """Arguments that pass the permission to a `robot-vision` command that this process starts."""
    return [OPTION] if _permitted else []
