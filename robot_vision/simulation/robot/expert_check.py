"""Success rate of the expert: `python -m robot_vision.simulation.robot.expert_check`."""

import argparse
from time import process_time

import numpy as np

from robot_vision.simulation.content.palette import SPLITS
from robot_vision.simulation.robot.episode import QUIET, Noise, run_expert
from robot_vision.simulation.robot.work.drawn_tasks import build_task_world
from robot_vision.simulation.robot.work.task import KINDS, Kind


def check(kind: Kind, *, episodes: int, seed: int, split: str, noise: Noise) -> list[int]:
    """Print success rate and times; returns the seeds of failed episodes."""
    failed, simulated_s, started_s = [], 0.0, process_time()
    for episode in range(seed, seed + episodes):
        rng = np.random.default_rng([KINDS.index(kind), episode])
        world, task = build_task_world(rng, split=split, kind=kind)  # pyright: ignore[reportArgumentType]
        with world:
            for tick in run_expert(world, task, rng=rng, noise=noise):
                if tick.done and not tick.success:
                    failed.append(episode)
            simulated_s += world.time_s
    cpu_s = (process_time() - started_s) / episodes
    print(
        f"{kind:5} {1 - len(failed) / episodes:6.1%} of {episodes}, "
        f"{simulated_s / episodes:.1f} s simulated and {cpu_s:.2f} s CPU an episode; "
        f"failed seeds {failed}"
    )
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--kind", choices=KINDS, action="append")
    arguments = parser.parse_args()
    for name, noise in (("without noise", QUIET), ("with noise", Noise())):
        print(name)
        for kind in arguments.kind or KINDS:
            check(
                kind,
                episodes=arguments.episodes,
                seed=arguments.seed,
                split=arguments.split,
                noise=noise,
            )


if __name__ == "__main__":
    main()
