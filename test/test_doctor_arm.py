"""The doctor names the links of an arm that self-collision cannot look at."""

from pathlib import Path

from arm_meshes import binary_stl, box_triangles, write
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.doctor_arm import examine_arm

LINK = '<link name="{name}"><collision><geometry><mesh filename="{mesh}"/></geometry></collision>'


def description(folder: Path, **meshes: str) -> Path:
    links = "".join(LINK.format(name=name, mesh=mesh) + "</link>" for name, mesh in meshes.items())
    path = folder / "arm.urdf"
    path.write_text(f'<robot name="arm">{links}</robot>')
    return path


def test_links_whose_mesh_cannot_be_read_are_named(tmp_path: Path) -> None:
    mesh = write(tmp_path / "hand.stl", binary_stl(box_triangles((1, 1, 1))))
    path = description(tmp_path, hand=mesh, elbow="package://no_such/elbow.stl", wrist="/w.dae")
    *warned, summary = examine_arm(path)
    assert [finding.level for finding in warned] == ["warn", "warn"]
    assert "'elbow' is not checked" in warned[0].found
    assert "is in no package of AMENT_PREFIX_PATH" in warned[0].found
    assert "is none of .stl, .obj" in warned[1].found
    assert (summary.level, "1 links of arm: hand" in summary.found) == ("ok", True)
    shown = CliRunner().invoke(app, ["doctor", "--robot-description", str(path)])
    assert "self-collision" in shown.output


def test_input_that_is_not_a_urdf_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "arm.urdf").write_text("no URDF")
    for path in (tmp_path / "arm.urdf", tmp_path / "nowhere.urdf"):
        (finding,) = examine_arm(path)
        assert (finding.level, "xacro" in finding.advice) == ("error", True)


def test_an_arm_without_shapes_is_warned_of(tmp_path: Path) -> None:
    (finding,) = examine_arm(description(tmp_path))
    assert (finding.level, "none" in finding.found) == ("warn", True)
