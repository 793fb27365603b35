"""Carries out a chain of steps, each in its own folder, which a second call finds complete."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from robot_vision.compressing.measuring import graph_figure, metric_of, weights_figure
from robot_vision.compressing.plan import Variant
from robot_vision.compressing.step import Case, GraphStep, NotAcceptedError, Step, WeightStep
from robot_vision.core.files.foreign import read_json
from robot_vision.core.manifests.manifest import CompressionStep
from robot_vision.export.bundle import ExportOptions, export_run
from robot_vision.export.parity import onnx_predictor
from robot_vision.export.run_folder import open_run
from robot_vision.model_store.bundle_files import copy_file
from robot_vision.model_store.store import MANIFEST_FILE, Bundle, find_bundle, write_bundle
from robot_vision.models.weights import read_weights
from robot_vision.training.engine.recipes.recipe_file import load_recipe
from robot_vision.training.engine.run import BUNDLE_WEIGHTS, RECIPE, WEIGHTS

_DONE, _REFUSED, _BUNDLE = "step.json", "refused.txt", "bundle"
_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """The result of a chain: a bundle and its history."""

    bundle: Bundle
    history: tuple[CompressionStep, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """The folder of a chain's weights, and their history."""

    run: Path
    history: tuple[CompressionStep, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Workshop:
    """Folders of a plan: steps in `work`, their results in `bundles`; the set to report on.

    Figures before and after a step are on the case's pictures, those of bundles on `test`.
    """

    work: Path
    bundles: Path
    test: Path
    case: Case

    def begun(self) -> Chain:
        """The plan's original weights; their figure is that before the first step."""
        run = self.case.original
        if not (run / _DONE).is_file():
            done = CompressionStep(step="original", after=self._figures(run))
            (run / _DONE).write_text(done.model_dump_json(indent=1) + "\n")
        return Chain(run=run, history=(_done(run),))

    def carried_out(self, variant: Variant, begun: Chain) -> Made:
        """Raises the errors of a step, also `NotAcceptedError`."""
        chain = begun
        for step in variant.weights:
            assert isinstance(step, WeightStep)
            chain = self._weights(step, chain)
        exact = self._exported(chain)
        made = exact if variant.graph is None else self._graph(variant.graph, chain, exact)
        return self.kept(made, variant.name)

    def original(self, begun: Chain, name: str) -> Made:
        """The plan's original weights, exported like all others."""
        return self.kept(self._exported(begun), name)

    def _weights(self, step: WeightStep, chain: Chain) -> Chain:
        out = self._folder(step, chain)
        if not (out / _DONE).is_file():
            self.case.say(step.words())
            note = step.apply(chain.run, out, self.case)
            _finish(step, note, chain, self._figures(out), out)
        return Chain(run=out, history=(*chain.history, _done(out)))

    def _exported(self, chain: Chain) -> Made:
        """The chain's weights as an FP32 bundle, with the figures of the test set."""
        folder = chain.run / _BUNDLE
        if not (folder / MANIFEST_FILE).is_file():
            self.case.say(f"exporting {chain.run.name}")
            export_run(chain.run, folder, ExportOptions(data=self.test))
        return Made(bundle=find_bundle(folder), history=chain.history)

    def _graph(self, step: GraphStep, chain: Chain, exact: Made) -> Made:
        out = self._folder(step, chain)
        if not (out / _DONE).is_file():
            self.case.say(step.words())
            out.mkdir(parents=True, exist_ok=True)
            file = out / exact.bundle.manifest.file
            note = self._applied(step, exact.bundle, chain, file)
            made = self._with_figures(exact.bundle, file, step.precision, chain.run, out / _BUNDLE)
            recipe = load_recipe(chain.run / RECIPE)
            figure = graph_figure(made, recipe, self.case.validation, images=self.case.images)
            after = {**chain.history[-1].after, metric_of(recipe): round(figure, 4)}
            _finish(step, note, chain, after, out)
        return Made(bundle=find_bundle(out / _BUNDLE), history=(*chain.history, _done(out)))

    def _applied(self, step: GraphStep, bundle: Bundle, chain: Chain, file: Path) -> str:
        """A search without a result is not repeated."""
        refused = file.parent / _REFUSED
        if refused.is_file():
            raise NotAcceptedError(refused.read_text().strip())
        try:
            return step.apply(bundle, chain.run, file, self.case)
        except NotAcceptedError as error:
            refused.write_text(f"{error}\n")
            raise

    def _with_figures(
        self, exact: Bundle, file: Path, precision: str, run: Path, folder: Path
    ) -> Bundle:
        """A bundle of the file, beside the same weights, with its own figures of the test set."""
        held_out = open_run(run, weights=WEIGHTS, data=self.test).held_out
        metrics = held_out.metrics({file.name: onnx_predictor(file, exact.manifest.outputs)})
        update = {"precision": precision, "metrics": {**exact.manifest.metrics, **metrics}}
        folder.mkdir(exist_ok=True)
        copy_file(exact.path / BUNDLE_WEIGHTS, folder / BUNDLE_WEIGHTS)
        return write_bundle(folder, exact.manifest.model_copy(update=update), file)

    def kept(self, made: Made, name: str) -> Made:
        """Its bundle under the variant's name, with its history in the manifest."""
        folder = self.bundles / name
        folder.mkdir(parents=True, exist_ok=True)
        copy_file(made.bundle.path / BUNDLE_WEIGHTS, folder / BUNDLE_WEIGHTS)
        update = {"name": name, "compression": made.history}
        manifest = made.bundle.manifest.model_copy(update=update)
        return Made(
            bundle=write_bundle(folder, manifest, made.bundle.model_path), history=made.history
        )

    def _figures(self, run: Path) -> dict[str, float]:
        metric = metric_of(load_recipe(run / RECIPE))
        tensors = read_weights(run / WEIGHTS).tensors.values()
        figure = weights_figure(run, images=self.case.images)
        return {
            metric: round(figure, 4),
            "parameters": float(sum(t.numel() for t in tensors if t.is_floating_point())),
        }

    def _folder(self, step: Step, chain: Chain) -> Path:
        """The folder of this step after that chain; other options get another folder.

        So do other timed runs, for a step on the graph: they decide whether it is accepted.
        """
        options = json.dumps(
            [chain.run.name, step.kind, step.model_dump(mode="json")]
            + [self.case.threads, self.case.rounds] * isinstance(step, GraphStep)
        )
        digest = hashlib.sha256(options.encode()).hexdigest()[:8]
        slug = _SLUG.sub("-", step.kind)
        return self.work / f"{chain.run.name.split('-', 1)[0]}-{slug}-{digest}"


def _finish(step: Step, note: str, chain: Chain, after: dict[str, float], folder: Path) -> None:
    """The mark that a step is done, written last."""
    done = CompressionStep(
        step=step.words(), note=note, before=chain.history[-1].after, after=after
    )
    (folder / _DONE).write_text(done.model_dump_json(indent=1) + "\n")


def _done(folder: Path) -> CompressionStep:
    return CompressionStep.model_validate(read_json(folder / _DONE))
