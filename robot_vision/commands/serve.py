"""`robot-vision serve …`: serve a policy to robots over the network, and test a server."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Serve a policy to robots, and test a server.")

_MS_PER_S = 1e3
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 (named, not listened on)


@app.command()
def policy(
    bundle: Annotated[str, typer.Argument(help="policy: a name in the store or a folder")],
    protocol: Annotated[
        str, typer.Option(help="robot_vision (ours), or openpi for clients of that library")
    ] = "robot_vision",
    host: Annotated[
        str, typer.Option(help="address to listen on; any but loopback needs a token")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0: a free one")] = 8765,
    token_variable: Annotated[
        str, typer.Option(help="environment variable with the token that robots must send")
    ] = "",
    certificate: Annotated[str, typer.Option(help="PEM certificate; enables wss://")] = "",
    key: Annotated[str, typer.Option(help="PEM file of the certificate's key")] = "",
    threads: Annotated[int, typer.Option(min=0, help="threads on the CPU; 0: all cores")] = 0,
    robot_bundle: Annotated[
        Path | None, typer.Option(help="write the bundle for the robot's side to this folder")
    ] = None,
    url: Annotated[
        str, typer.Option(help="server address in that bundle; default: this address")
    ] = "",
) -> None:
    """Serve a policy that takes pictures, state and an instruction; Ctrl-C ends it.

    One robot is served at a time. Policies based on tracks must run on the robot.
    """
    from robot_vision.core.errors import ConfigError
    from robot_vision.policies.registry import load_policy
    from robot_vision.serving.robot_bundle import write_robot_bundle
    from robot_vision.serving.server import Listening, PolicyServer
    from robot_vision.terminal import Screen

    screen = Screen()
    if robot_bundle is not None and host in _ANY_ADDRESS and not url:
        raise ConfigError(
            f"--host {host} is not an address that robots can reach: set --url for the bundle"
        )
    listening = Listening(
        host=host, port=port, token=_token(token_variable), certificate=certificate, key=key
    )
    loaded = load_policy(bundle, threads=threads, spin=False)
    server = PolicyServer(loaded, protocol=protocol, listening=listening, say=screen.print)
    try:
        screen.print(f"{loaded.spec.model_id} on {loaded.provider}, {protocol}, at {server.url}")
        screen.print(f"identity {loaded.spec.identity}")
        if robot_bundle is not None:
            write_robot_bundle(
                robot_bundle,
                loaded.manifest,
                protocol=protocol,
                url=url or server.url,
                token_variable=token_variable,
            )
            screen.print(f"for the robot: policy:={robot_bundle}")
        server.wait()
    except KeyboardInterrupt:
        screen.print(_figures("answers took", server.latency_s()))
    finally:
        server.close()
        loaded.close()


@app.command()
def check(
    bundle: Annotated[str, typer.Argument(help="bundle of kind remote: a name or a folder")],
    requests: Annotated[
        int, typer.Option(min=1, help="number of requests, with black pictures")
    ] = 20,
    instruction: Annotated[str, typer.Option(help="instruction that the policy knows")] = "wait",
) -> None:
    """Connect to a bundle's server, compare its report, and time its answers. Nothing moves.

    Exit status 1 if an answer is missing or late.
    """
    from robot_vision.core.timing import Percentiles
    from robot_vision.model_store.policies import find_policy
    from robot_vision.policies.remote.trial import try_server
    from robot_vision.terminal import Screen

    screen, figures = Screen(), Percentiles()
    trial = try_server(find_policy(bundle), requests=requests, text=instruction)
    for seconds in trial.latency_s:
        figures.add(seconds)
    screen.print(f"{trial.server} matches policy.yaml")
    if trial.unsaid:
        screen.print(
            f"it does not report its {', '.join(trial.unsaid)}: these values of policy.yaml are "
            "unchecked"
        )
    screen.print(_figures(f"{len(trial.latency_s)} of {requests} answers took", figures.summary()))
    for problem in dict.fromkeys(trial.failures):
        screen.print(f"{trial.failures.count(problem)} without: {problem}")
    raise typer.Exit(1 if trial.failures else 0)


def _token(variable: str) -> str:
    import os

    from robot_vision.core.errors import ConfigError

    token = os.environ.get(variable, "").strip() if variable else ""
    if variable and not token:
        raise ConfigError(f"--token-variable {variable}: this environment variable is not set")
    return token


def _figures(what: str, latency_s: dict[str, float]) -> str:
    if not latency_s:
        return "no answers"
    parts = (f"{name} {value * _MS_PER_S:.1f} ms" for name, value in latency_s.items())
    return f"{what} {', '.join(parts)}"
