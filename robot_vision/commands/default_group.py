"""A command with variants, one of which needs not be named: `evaluate policy` and `evaluate`."""

from typing import Any

from typer.core import TyperGroup


class DefaultGroup(TyperGroup):
    """Runs the command `perception` unless the first word names another."""

    default = "perception"

    # Typer's context is click's or one of its own, by its version.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self.default, *args]
        return super().parse_args(ctx, args)
