"""What an ONNX file may ask for: its own weights beside it, and ONNX Runtime's operators."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from robot_vision.backends import load_backend
from robot_vision.cli import app
from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.bundle_files import sha256_of
from robot_vision.model_store.file_kinds import external_files
from robot_vision.model_store.import_onnx import describe_onnx
from robot_vision.model_store.onnx_needs import OnnxNeeds, read_needs
from robot_vision.model_store.policies import find_policy, open_policy, write_policy
from robot_vision.model_store.store import find_bundle, open_bundle, write_bundle
from robot_vision.policies.onnx_policy import OnnxPolicy

MANIFEST = ModelManifest.model_validate(
    {
        "name": "m",
        "task": "detection",
        "format": "yolov8",
        "input": {"name": "images", "width_px": 32, "height_px": 32},
        "classes": ["cup", "bowl"],
    }
)
WEIGHTS = np.arange(4096, dtype=np.float32).reshape(1, 1, 4096).repeat(6, axis=1)


def model_of(*nodes: onnx.NodeProto, domains: tuple[str, ...] = ()) -> onnx.ModelProto:
    """A detector that answers its weights, after `nodes` that compute from them."""
    nodes = nodes or (helper.make_node("Identity", ["weights"], ["output0"]),)
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, WEIGHTS.shape)],
        initializer=[numpy_helper.from_array(WEIGHTS, "weights")],
    )
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def save(file: Path, model: onnx.ModelProto, *, external: str = "") -> Path:
    """Write `model`, its large tensors to the file `external` beside it if that is named."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if external:
        onnx.save(model, file, save_as_external_data=True, location=external)
    else:
        onnx.save(model, file)
    return file


def renamed(file: Path, location: str) -> Path:
    """The model of `file` as it would be if its weights lay at `location`."""
    model = onnx.load(file, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    file.write_bytes(model.SerializeToString())
    return file


def test_weights_in_a_file_of_their_own_travel_with_the_bundle(tmp_path: Path) -> None:
    file = save(tmp_path / "net" / "net.onnx", model_of(), external="net.onnx.data")
    bundle = write_bundle(tmp_path / "bundle", MANIFEST, file)
    shutil.rmtree(tmp_path / "net")
    assert list(bundle.manifest.files) == ["net.onnx.data"]
    found = find_bundle(bundle.path)
    assert found.manifest == bundle.manifest
    blank = {"images": np.zeros((1, 3, 32, 32), np.float32)}
    answer = load_backend(found, device="cpu").run(blank)
    assert np.array_equal(answer["output0"], WEIGHTS)
    assert write_bundle(bundle.path, MANIFEST, bundle.model_path).manifest == bundle.manifest


def test_the_sha256_of_these_weights_counts(tmp_path: Path) -> None:
    file = save(tmp_path / "net" / "net.onnx", model_of(), external="net.onnx.data")
    bundle = write_bundle(tmp_path / "bundle", MANIFEST, file)
    weights = bundle.path / "net.onnx.data"
    weights.write_bytes(bytes(len(weights.read_bytes())))
    with pytest.raises(BundleError, match=r"net\.onnx\.data is damaged or was replaced"):
        find_bundle(bundle.path)
    weights.unlink()
    with pytest.raises(BundleError, match=r"net\.onnx\.data is missing.*model\.onnx, model\.yaml"):
        find_bundle(bundle.path)


def test_weights_that_the_manifest_does_not_list_are_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "net" / "net.onnx", model_of(), external="net.onnx.data")
    bundle = write_bundle(tmp_path / "bundle", MANIFEST, file)
    path = bundle.path / "model.yaml"
    text = path.read_text()
    path.write_text(text[: text.index("files:")] + text[text.index("input:") :])
    with pytest.raises(BundleError, match=r"'net\.onnx\.data', whose sha256 .* does not give"):
        find_bundle(bundle.path)


def test_importing_takes_them_along(tmp_path: Path) -> None:
    file = save(tmp_path / "net" / "net.onnx", model_of(), external="net.onnx.data")
    (tmp_path / "names.txt").write_text("cup\nbowl\n")
    out = tmp_path / "bundle"
    # Its numbers are no detections: what is tested here is what travels.
    command = ["models", "import", str(file), "--format", "yolov8", "--no-trial"]
    classes = ["--classes", str(tmp_path / "names.txt")]
    result = CliRunner().invoke(app, [*command, *classes, "--out", str(out)])
    assert result.exit_code == 0, result.output
    shutil.rmtree(file.parent)
    verified = CliRunner().invoke(app, ["models", "verify", str(out), "--device", "cpu"])
    assert "runs on cpu" in verified.output


@pytest.mark.parametrize(
    ("location", "fault"),
    [
        ("/etc/hostname", "not in its folder"),
        ("../secret.data", "not in its folder"),
        ("deeper/../../secret.data", "not in its folder"),
        ("link.data", "a link puts outside its folder"),
        ("linked/secret.data", "a link puts outside its folder"),
        ("none.data", "missing: it belongs beside the model"),
        ("deeper", "missing: it belongs"),
        ("pipe.data", "missing: it belongs"),
        ("*/_ORT_MEM_ADDR_/*", "not in its folder"),
        ("", "missing: it belongs|puts outside"),
        ("x" * 5000, "missing: it belongs|puts outside"),
        ("two\nlines\x1b[31m", "missing: it belongs"),
    ],
)
def test_weights_outside_the_folder_are_refused_by_us(
    tmp_path: Path, location: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "net"
    file = save(folder / "net.onnx", model_of(), external="net.onnx.data")
    secret = (tmp_path / "secret.data").resolve()
    secret.write_bytes((folder / "net.onnx.data").read_bytes())
    (folder / "link.data").symlink_to(secret)
    (folder / "linked").symlink_to(tmp_path)
    (folder / "deeper").mkdir()
    (folder / "*" / "_ORT_MEM_ADDR_").mkdir(parents=True)
    (folder / "*" / "_ORT_MEM_ADDR_" / "*").write_bytes(secret.read_bytes())
    os.mkfifo(folder / "pipe.data")
    renamed(file, location)
    (folder / "model.yaml").write_text(bundle_text(file))
    monkeypatch.setattr(ort, "InferenceSession", _never)
    bundle = open_bundle(folder)
    for attempt in (
        lambda: find_bundle(folder),
        lambda: load_backend(bundle, device="cpu"),
        lambda: write_bundle(tmp_path / "out", MANIFEST, file),
        lambda: describe_onnx(file, name="m", format="yolov8", classes=["a", "b"]),
    ):
        with pytest.raises(BundleError, match=fault) as refused:
            attempt()
        assert str(refused.value).isprintable()
        assert len(str(refused.value)) < 1500
    assert not (tmp_path / "out").exists()


def bundle_text(file: Path) -> str:
    described = MANIFEST.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(described | {"file": file.name, "sha256": sha256_of(file)})


def _never(*_: object, **__: object) -> None:
    raise AssertionError("ONNX Runtime was given the file")


def test_a_model_that_is_a_link_out_of_its_bundle_is_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", MANIFEST, save(tmp_path / "n.onnx", model_of()))
    bundle.model_path.rename(tmp_path / "elsewhere.onnx")
    bundle.model_path.symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(BundleError, match="not a file below"):
        find_bundle(bundle.path)


def test_weights_do_not_overwrite_the_manifest(tmp_path: Path) -> None:
    for name in ("model.yaml", "./model.onnx"):
        file = save(tmp_path / "net" / "net.onnx", model_of(), external="net.onnx.data")
        (tmp_path / "net" / name).write_bytes((tmp_path / "net" / "net.onnx.data").read_bytes())
        renamed(file, name)
        with pytest.raises(BundleError, match="the name of another file of its bundle"):
            write_bundle(tmp_path / "b", MANIFEST, file)


def branch(name: str, *nodes: onnx.NodeProto, weights: onnx.TensorProto) -> onnx.GraphProto:
    output = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    return helper.make_graph(list(nodes), name, [], [output], initializer=[weights])


def test_what_hides_in_branches_constants_and_functions_is_found() -> None:
    def away(name: str) -> onnx.TensorProto:
        tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="offset", value="0")
        tensor.external_data.add(key="location", value=name)
        return tensor

    inner = branch("inner", helper.make_node("Odd", [], ["out"], domain="far"), weights=away("a"))
    outer = branch(
        "outer",
        helper.make_node("If", ["c"], ["out"], then_branch=inner, else_branch=inner),
        weights=away("b"),
    )
    model = model_of(
        helper.make_node("If", ["c"], ["d"], then_branch=outer, else_branch=outer),
        helper.make_node("Constant", [], ["output0"], value=away("c")),
    )
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(away("d"))
    function = helper.make_function(
        "own",
        "Known",
        [],
        ["x"],
        [helper.make_node("Constant", [], ["x"], value=away("e"))],
        [helper.make_opsetid("", 17)],
    )
    model.functions.append(function)
    model.training_info.add().algorithm.initializer.append(away("f"))
    needs = needs_of(model.SerializeToString())
    assert needs.external_files == set("abcdef")
    assert needs.operators >= {("far", "Odd"), ("", "If"), ("", "Constant")}
    assert needs.functions == {("own", "Known")}


def needs_of(content: bytes) -> OnnxNeeds:
    with NamedTemporaryFile(suffix=".onnx") as file:
        file.write(content)
        file.flush()
        return read_needs(Path(file.name))


@pytest.mark.parametrize(
    ("domain", "name", "message"),
    [
        ("my.ops", "Evil", r"operator 'Evil' of domain 'my\.ops'.*never loaded"),
        ("com.microsoft", "EPContext", r"'EPContext'.*can run any code.*always refused"),
        ("com.microsoft", "PythonOp", r"'PythonOp'.*can run any code"),
    ],
)
def test_operators_of_others_are_refused_in_words(
    tmp_path: Path, domain: str, name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = helper.make_node(name, ["weights"], ["output0"], domain=domain)
    file = save(tmp_path / "m.onnx", model_of(node, domains=(domain,)))
    monkeypatch.setattr(ort, "InferenceSession", _never)
    for attempt in (
        lambda: external_files(file),
        lambda: write_bundle(tmp_path / "b", MANIFEST, file),
        lambda: describe_onnx(file, name="m", format="yolov8", classes=["a", "b"]),
    ):
        with pytest.raises(BundleError, match=message):
            attempt()


def test_functions_of_the_model_itself_are_fine(tmp_path: Path) -> None:
    model = model_of(
        helper.make_node("Same", ["weights"], ["output0"], domain="pkg.mine"),
        domains=("pkg.mine",),
    )
    same = helper.make_node("Identity", ["x"], ["y"])
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("pkg.mine", "Same", ["x"], ["y"], [same], opsets)
    model.functions.append(function)
    bundle = write_bundle(tmp_path / "b", MANIFEST, save(tmp_path / "m.onnx", model))
    load_backend(find_bundle(bundle.path), device="cpu")


SOUND = model_of().SerializeToString()


@given(st.one_of(st.binary(max_size=200), st.integers(0, 400).map(lambda n: SOUND[:n])))
def test_any_bytes_are_a_model_or_a_bundle_error(content: bytes) -> None:
    with suppress(BundleError):
        needs_of(content)


def test_nesting_without_end_is_explained(tmp_path: Path) -> None:
    message = b""
    for _ in range(5000):  # a graph in an attribute in a node
        for tag in (0x32, 0x2A, 0x0A):
            message = bytes([tag]) + _varint(len(message)) + message
    (tmp_path / "m.onnx").write_bytes(b"\x3a" + _varint(len(message)) + message)
    with pytest.raises(BundleError, match="nest more than 100"):
        external_files(tmp_path / "m.onnx")


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """The shipped policy with the network's weights in a file of their own."""
    shipped = find_policy("policy-s")
    folder = tmp_path / "policy"
    folder.mkdir()
    for name in ("language.onnx", "policy.yaml"):
        shutil.copyfile(shipped.path / name, folder / name)
    save(folder / "policy.onnx", onnx.load(shipped.network_path), external="policy.data")
    return folder


def test_a_policys_weights_travel_and_count_too(policy: Path) -> None:
    with pytest.raises(BundleError, match=r"policy\.onnx is damaged or was replaced"):
        find_policy(policy)
    write_policy(policy, open_policy(policy).manifest)
    assert list(find_policy(policy).manifest.files) == ["policy.data"]
    OnnxPolicy(find_policy(policy))
    (policy / "policy.data").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"policy\.data is damaged or was replaced"):
        find_policy(policy)


def test_a_policys_network_is_looked_into_too(policy: Path, tmp_path: Path) -> None:
    shutil.copyfile(policy / "policy.data", tmp_path / "policy.data")
    renamed(policy / "policy.onnx", "../policy.data")
    with pytest.raises(BundleError, match="not in its folder"):
        write_policy(policy, open_policy(policy).manifest)
    with pytest.raises(BundleError, match="not in its folder"):
        OnnxPolicy(open_policy(policy))


def test_empty_fields_without_end_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With the types of every call checked, as in tests, millions take minutes; else seconds.
    monkeypatch.setattr("robot_vision.model_store.onnx_needs._MOST_FIELDS", 20_000)
    (tmp_path / "m.onnx").write_bytes(b"\x3a\x00" * 1_000_000)
    with pytest.raises(BundleError, match="more than 20000 fields"):
        external_files(tmp_path / "m.onnx")
