"""`robot-vision vla …`: turn a vision-language model into a policy."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands.json_file import JsonFile, write_json

app = typer.Typer(no_args_is_help=True, help="Turn vision-language models into policies.")

ModelFolder = Annotated[
    Path, typer.Argument(help="folder of a model: config.json, *.safetensors, tokenizer.json")
]


@app.command()
def adapters() -> None:
    """List the adapters and their models."""
    from robot_vision.models.vla.adapter import ADAPTERS
    from robot_vision.terminal import Screen

    screen = Screen()
    for name in ADAPTERS:
        adapter = ADAPTERS.get(name)
        kinds = ", ".join(adapter.model_types) or "any other model_type"
        about = (adapter.__doc__ or "").strip().splitlines()[0]
        screen.print(f"{name:12} {kinds:22} {about}", soft_wrap=True)


@app.command()
def study(
    folder: ModelFolder,
    adapter: Annotated[str, typer.Option(help="adapter; empty: the one for its model_type")] = "",
) -> None:
    """Show where an adapter finds the six parts of a model, and try it on a blank picture."""
    from robot_vision.models.vla.study import study_folder
    from robot_vision.terminal import Screen

    screen = Screen()
    for part, found in study_folder(folder, adapter).items():
        screen.print(f"{part:16} {found}", soft_wrap=True)


@app.command()
def recipe(
    configuration: Annotated[Path, typer.Argument(help="YAML or JSON: docs/vla.md")],
    out: Annotated[
        Path, typer.Option(help="folder for recipe.yaml and the backbone's vocabulary")
    ],
) -> None:
    """Write the recipe of a configuration, for `robot-vision train`."""
    from robot_vision.terminal import say
    from robot_vision.training.vla.configuration import read_configuration
    from robot_vision.training.vla.recipe import write_recipe

    file = write_recipe(read_configuration(configuration), out)
    say(f"written: {file}; train it: robot-vision train {file} --out {out / 'run'}")


@app.command()
def small(
    kind: Annotated[str, typer.Argument(help="paligemma, llava or flamingo")],
    out: Annotated[Path, typer.Option(help="folder of the model")],
    words_of: Annotated[
        list[Path], typer.Option(help="demonstrations whose words define its tokenizer")
    ],
    width: Annotated[int, typer.Option(help="width of a token", min=8)] = 64,
    layers: Annotated[int, typer.Option(help="layers of each tower", min=1)] = 2,
    side: Annotated[
        int, typer.Option(help="side of its pictures in px; a multiple of 8", min=8)
    ] = 64,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Write a small model with random weights in the format of a real one, to test the workflow.
    It has learned nothing:

    results trained from it say nothing about real weights.
    """
    from robot_vision.datasets.open_dataset import open_dataset
    from robot_vision.terminal import say
    from robot_vision.training.vla.small_folder import write_small

    texts = [
        text
        for folder in words_of
        for opened in [open_dataset(folder)]
        for episode in range(len(opened.lengths))
        for text in opened.instructions(episode)
    ]
    write_small(out, kind, texts, width=width, layers=layers, side_px=side, seed=seed)
    say(f"written: {out}, with random weights")


@app.command()
def bench(
    policy: Annotated[str, typer.Argument(help="a policy's bundle: a name or a folder")],
    runs: Annotated[int, typer.Option(help="decisions to measure", min=1)] = 100,
    threads: Annotated[int, typer.Option(help="threads; 0: all cores", min=0)] = 1,
    out: JsonFile = Path("out/bench_network.json"),
) -> None:
    """Time and memory of a policy's network, in this process, without ROS."""
    from robot_vision.bench.models.policy_network import bench_network
    from robot_vision.model_store.policies import find_policy
    from robot_vision.terminal import Screen

    screen = Screen()
    result = bench_network(find_policy(policy), runs=runs, threads=threads)
    for name, value in result.items():
        if name != "machine":
            screen.print(f"{name:12} {value}")
    write_json(out, result)
