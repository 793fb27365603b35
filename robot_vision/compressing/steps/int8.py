"""`int8`: static quantisation, searched for a scheme that is faster and accurate."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from robot_vision.compressing.measuring import graph_figure
from robot_vision.compressing.pruning.answers import answering_layers
from robot_vision.compressing.search import Ranges, Search, Space, Tried, check_space, words_of
from robot_vision.compressing.step import STEPS, Case, GraphStep, NotAcceptedError
from robot_vision.compressing.weights_folder import build
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.figures import write_figures
from robot_vision.core.parameters.params import param
from robot_vision.export.run_folder import open_run
from robot_vision.model_store.store import Bundle, write_bundle
from robot_vision.training.engine.run import WEIGHTS
from robot_vision.training.engine.stepping.eight_bits import RANGES

ANSWERS = "answers"
SEARCH = "search.json"


@STEPS.register("int8")
class Int8(GraphStep):
    """INT8 where it is faster, with calibrated or trained ranges."""

    kind = "int8"
    precision = "int8"
    operators: list[list[str]] = param(
        [["Conv"], ["Conv", "Relu", "Add"]], "ONNX operators in INT8, per try", min_length=1
    )
    excluded: list[list[str]] = param(
        [[ANSWERS]], "patterns of layers left in FP32, per try; `answers`: the output layers"
    )
    per_channel: list[bool] = param([True, False], "one scale per channel of weights, per try")
    activations: list[Literal["uint8", "int8"]] = param(["uint8"], "kinds of activations")
    opsets: list[int] = param([0], "opset of the graph, per try; 0: as exported")
    ranges: list[Ranges] = param(
        ["minmax", "percentile"], "ranges of activations: minmax, percentile, entropy, trained"
    )
    samples: int = param(64, "rows of the training data for calibration", ge=1)
    least_gain: float = param(1.05, "least speed relative to FP32", ge=0)

    def words(self) -> str:
        return f"INT8, ranges by {' or '.join(self.ranges)}"

    def apply(self, bundle: Bundle, run: Path, out: Path, case: Case) -> str:
        opened = open_run(run, weights=WEIGHTS, data=case.validation)
        file = bundle.model_path
        rows = list(opened.held_out.calibration(file.name, self.samples))
        if not rows:
            raise ConfigError("the training set is empty: INT8 cannot be calibrated")
        exact = graph_figure(bundle, opened.recipe, case.validation, images=case.images)

        def judge(candidate: Path) -> float:
            with TemporaryDirectory() as folder:
                made = write_bundle(Path(folder), bundle.manifest, candidate)
                return graph_figure(made, opened.recipe, case.validation, images=case.images)

        search = Search(
            file=file,
            outputs=bundle.manifest.outputs,
            rows=rows,
            trained=opened.weights.travels.get(RANGES, {}),
            judge=judge,
            least_gain=self.least_gain,
            least_figure=exact - case.most_lost,
            threads=case.threads,
            rounds=case.rounds,
            say=case.say,
        )
        space = self._space(run)
        check_space(space, search.trained)
        with TemporaryDirectory(dir=out.parent) as folder:
            tried = search.run(space, Path(folder))
        _write(tried, exact, out.parent / SEARCH)
        best = search.accepted(tried)
        if best is None:
            raise NotAcceptedError(_refusal(tried, exact, self.least_gain, search.least_figure))
        search.make(best.scheme, out)
        return f"{words_of(best.scheme)}; of {len(tried)} tried"

    def _space(self, run: Path) -> Space:
        built = build(run)
        answers = sorted(answering_layers(built.model, built.model(*built.example())))
        return Space(
            operators=[tuple(each) for each in self.operators],
            excluded=[
                tuple(p for name in each for p in (answers if name == ANSWERS else [name]))
                for each in self.excluded or [[]]
            ],
            per_channel=self.per_channel,
            activations=self.activations,
            opsets=self.opsets,
            ranges=self.ranges,
        )


def _write(tried: list[Tried], exact: float, file: Path) -> None:
    write_figures(file, {"fp32": exact, "tried": tried})


def _refusal(tried: list[Tried], exact: float, gain: float, figure: float) -> str:
    """The schemes that came closest, by speed and by figure."""
    fastest = max(tried, key=lambda t: -1 if t.failed else t.gain)
    judged = [t for t in tried if t.figure == t.figure]
    best = max(judged, key=lambda t: t.figure, default=None)
    if fastest.failed:
        return f"no graph could be quantised: {fastest.failed}"
    if best is None:
        return (
            f"of {len(tried)} schemes the fastest is {fastest.gain:.2f} times as fast as FP32 "
            f"({words_of(fastest.scheme)}), expected {gain:g}"
        )
    return (
        f"of {len(judged)} schemes that are faster the best has a figure of {best.figure:.4f} "
        f"({words_of(best.scheme)}), expected {figure:.4f}: FP32 has {exact:.4f}"
    )
