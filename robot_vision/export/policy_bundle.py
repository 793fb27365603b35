"""From a run of the policy's training to a bundle of the model store."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from robot_vision.core.action_spec import ActionSpec
from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import read_json
from robot_vision.core.policy_manifest import PolicyManifest
from robot_vision.export.policy import export_policy
from robot_vision.model_store.policies import PolicyBundle, write_policy
from robot_vision.models.policies.pointer import Policy
from robot_vision.models.registry import MODELS
from robot_vision.training.engine.checkpoint import load_weights_file
from robot_vision.training.engine.curves import read_rows
from robot_vision.training.engine.run import CURVES, RECIPE, WEIGHTS
from robot_vision.training.tasks.policy_description import load_description
from robot_vision.training.tasks.policy_recipe import load_policy_recipe

LICENCE = "Apache-2.0"
LIMITS = (
    "Trained in the simulated robot only, on its table, its arm and objects of ten simple kinds; "
    "what it does on a real arm is not known."
)


def export_policy_run(
    run: Path, folder: Path, *, version: str, evaluation: Path | None = None, limits: str = ""
) -> PolicyBundle:
    """Write a run's averaged weights as a bundle: ONNX checked against torch, weights, manifest.

    `evaluation` is a file of `robot-vision evaluate policy`, to be quoted in the manifest.
    Raises `BundleError` if an ONNX file differs from torch.
    """
    recipe, description = load_policy_recipe(run / RECIPE), load_description(run)
    policy = MODELS.get(recipe.model)(description.spec)
    assert isinstance(policy, Policy)
    tensors, _ = load_weights_file(run / WEIGHTS)
    policy.load_state_dict(tensors)
    last = read_rows(run / CURVES)[-1]
    manifest = PolicyManifest(
        name=folder.name,
        version=version,
        architecture=recipe.model,
        action_spec=ActionSpec(
            model_id=f"{folder.name}@{version}",
            perception_model_id=description.shown.perception_model_id,
            step_s=description.shown.step_s,
            horizon=description.spec.horizon,
            history=description.shown.history,
            statistics=description.statistics,
        ),
        vocabulary=description.vocabulary,
        class_names=description.shown.class_names,
        perception=description.shown.perception,
        licence=LICENCE,
        description=_describe(policy),
        limits=limits or LIMITS,
    )
    parity = export_policy(
        policy, folder, language_file=manifest.language_file, file=manifest.file
    )
    # Half precision: the weights are for going on with training, the graphs are what runs.
    half = {name: tensor.to(torch.float16).contiguous() for name, tensor in tensors.items()}
    save_file(half, folder / manifest.weights_file)
    measured = read_json(evaluation) if evaluation else {}
    if not isinstance(measured, dict):
        raise ConfigError(f"{evaluation} is no report of `robot-vision evaluate policy`")
    found = measured | {
        "held_out": {k: float(v) for k, v in last.items() if k.startswith("val_") and v},
        "onnx_against_torch_max": float(f"{parity:.2g}"),
        "trained_steps": int(float(last["step"])),
        "trained_minutes": round(float(last["minutes"]), 1),
        "recipe": recipe.model_dump_json(exclude_defaults=True),
        "data": description.shown.recipe,
        "command": " ".join(["robot-vision", *sys.argv[1:]]),
    }
    return write_policy(folder, manifest.model_copy(update={"metrics": found}))


def _describe(policy: Policy) -> str:
    parameters = sum(p.numel() for p in policy.parameters()) / 1e6
    return (
        f"{parameters:.2f} M parameters: a language encoder, run once per instruction, and a "
        "network from tracked objects, the feature grid and the arm's state to a chunk of "
        "7-DoF actions, with pointers to the object that is meant and to its destination."
    )
