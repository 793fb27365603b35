"""Routes that move the robot, or stop it."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from robot_vision.console.command_schema import InstructionRequest, Outcome, PromptRequest
from robot_vision.console.commander import Commander
from robot_vision.console.problems import ConsoleError
from robot_vision.console.serving.rates import client_of
from robot_vision.console.serving.routes.refusals import refusals
from robot_vision.core.files.foreign import quoted

_log = logging.getLogger(__name__)

_HOLD_THREADS = 4
_CHANGING = refusals(400, 403, 408, 409, 413, 422)


def hold_threads() -> ThreadPoolExecutor:
    """Threads reserved for hold; the caller shuts them down."""
    return ThreadPoolExecutor(_HOLD_THREADS, thread_name_prefix="console-hold")


def command_routes(commander: Commander, holding: ThreadPoolExecutor) -> APIRouter:
    """Commands that move the robot, or stop it. Every command is logged.

    Hold never waits for a thread that is busy with another request: it has its own threads,
    `holding`.
    """
    router = APIRouter(tags=["command"], responses=_CHANGING)

    async def passed_on(request: Request, words: str, *command: Any) -> Outcome:
        if words == "hold":
            loop = asyncio.get_running_loop()
            outcome: Outcome = await loop.run_in_executor(holding, *command)
        else:
            outcome = await run_in_threadpool(*command)
        result = "done" if outcome.done else "not done"
        client = client_of(request.scope)
        message = quoted(outcome.message)
        _log.warning("command %s from %s: %s, %s", words, client, result, message)
        if not outcome.done:
            raise ConsoleError(409, outcome.message)
        return outcome

    @router.post("/api/instruction")
    async def instruction(request: Request, wanted: InstructionRequest) -> Outcome:
        """Send the policy an instruction. It acts only while enabled."""
        words = f"instruction {wanted.text!r}"
        return await passed_on(request, words, commander.instruct, wanted.text)

    @router.post("/api/prompt")
    async def prompt(request: Request, wanted: PromptRequest) -> Outcome:
        """Look for the named objects. Nothing moves."""
        return await passed_on(request, f"prompt {wanted.text!r}", commander.prompt, wanted.text)

    @router.post("/api/enable")
    async def enable(request: Request) -> Outcome:
        """Let the policy move the robot."""
        return await passed_on(request, "enable", commander.enable, True)

    @router.post("/api/hold")
    async def hold(request: Request) -> Outcome:
        """Stop: the policy is disabled and the robot holds its position."""
        return await passed_on(request, "hold", commander.enable, False)

    @router.post("/api/reset")
    async def reset(request: Request) -> Outcome:
        """Forget the instruction and the plan; the policy stays disabled."""
        return await passed_on(request, "reset", commander.reset)

    return router
