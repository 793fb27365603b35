"""Whether this process may load model files that can run code: `--allow-code`, and nothing else.

Some kinds of model file are programs: whoever made one can do what the user who loads it can.
So the permission is given by a person, on the command line of the command that loads, for that
process and those that it starts on purpose. No parameter, launch file, environment variable or
request to the console reaches it: this module reads nothing, and only `commands/` and those who
hand the permission on to a child call `permit_code` (held by `test/test_walls.py`).
"""

OPTION = "--allow-code"

_permitted = False


def permit_code(permitted: bool) -> None:
    """What the command line says; for the whole process, until it says otherwise."""
    global _permitted
    _permitted = permitted


def code_is_permitted() -> bool:
    """Whether the command line of this process allows model files that can run code."""
    return _permitted


def code_arguments() -> list[str]:
    """What hands the permission on to a `robot-vision` command that this process starts."""
    return [OPTION] if _permitted else []
