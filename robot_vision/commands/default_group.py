"""A command group with a default: `evaluate BUNDLE`, `evaluate policy …`."""

from typing import Any

from typer.core import TyperGroup


class DefaultGroup(TyperGroup):
    """Runs the command `perception` unless the first word names another."""

    default = "perception"

    # Depending on its version, Typer's context is click's or its own.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self.default, *args]
        return super().parse_args(ctx, args)
