"""tf2_msgs where ROS came by pip, which has none: built by the wheels' own generators and gcc."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

PACKAGE = "tf2_msgs"
DEFINITION = "geometry_msgs/TransformStamped[] transforms\n"
NEEDED = ("geometry_msgs", "std_msgs", "builtin_interfaces")
KINDS = ("c", "fastrtps_c", "introspection_c")
PREFIX = Path(sys.prefix)
# In a process of its own, as the generators change the folder and log.
_GENERATE = """
import os, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from rosidl_cli.command.translate.api import translate
from rosidl_generator_c.cli import GenerateC
from rosidl_generator_py.cli import GeneratePython
from rosidl_typesupport_c.cli import GenerateCTypesupport
from rosidl_typesupport_fastrtps_c.cli import GenerateFastRTPSCTypesupport
from rosidl_typesupport_introspection_c.cli import GenerateIntrospectionCTypesupport
package, share, out = sys.argv[1], sys.argv[2], Path.cwd() / "generated"
supports = ["rosidl_typesupport_fastrtps_c", "rosidl_typesupport_introspection_c"]
idl = Path.cwd() / "idl" / package
translate(package_name=package, interface_files=["msg/TFMessage.msg"], output_format="idl",
          include_paths=[share], output_path=idl)
files = [f"{idl}:msg/TFMessage.idl"]
for generator in (
    GenerateC("c"),
    GenerateCTypesupport("c", typesupport_implementations=supports),
    GenerateFastRTPSCTypesupport("fastrtps_c"),
    GenerateIntrospectionCTypesupport("introspection_c"),
    GeneratePython("py", typesupport_implementations=["rosidl_typesupport_c", *supports]),
):
    is_apart = "Introspection" in type(generator).__name__  # its files have the names of others
    folder = out.parent / "introspection" if is_apart else out
    generator.generate(package, files, [share, str(out)], folder / package)
"""


def build_tf2_msgs(folder: Path) -> Path:
    """A folder for sys.path that has tf2_msgs; skips the test where it cannot be built."""
    if not (PREFIX / "include" / "rosidl_runtime_c").is_dir():
        pytest.skip("tf2_msgs is not installed, nor the wheels' headers to build it from")
    if not (shutil.which("gcc") and shutil.which("g++")):
        pytest.skip("tf2_msgs is not installed, and there is no gcc to build it")
    (folder / "msg").mkdir(parents=True)
    (folder / "msg" / "TFMessage.msg").write_text(DEFINITION)
    environment = os.environ | {"AMENT_PREFIX_PATH": str(PREFIX)}
    generate = [sys.executable, "-c", _GENERATE, PACKAGE, str(PREFIX / "share")]
    _run(generate, folder, environment)
    return _compile(folder)


def _compile(folder: Path) -> Path:
    generated, home = folder / "generated", folder / "python" / PACKAGE
    home.mkdir(parents=True)
    sources = generated / PACKAGE

    def library(name: str, compiler: str, files: list[Path], *linked: str) -> None:
        known = [f"-l{PACKAGE}__{one}" for one in linked]
        target = home / f"{name}.so"
        shared = ["-shared", f"-Wl,-soname,{target.name}", "-o"]
        command = [compiler, "-fPIC", "-O0", "-w", *_includes(folder), *shared]
        _run([*command, str(target), *map(str, files), f"-L{home}", *known, *_links()], folder)

    python = sorted(sources.glob("msg/_*_s.c"))
    plain = [
        file for file in sources.rglob("detail/*.c") if file.name.count("__type_support") == 0
    ]
    library(f"lib{PACKAGE}__rosidl_generator_c", "gcc", plain)
    base = "rosidl_generator_c"
    introspection = sorted((folder / "introspection").rglob("*.c"))
    library(f"lib{PACKAGE}__rosidl_typesupport_introspection_c", "gcc", introspection, base)
    fast = sorted(sources.rglob("*type_support_c.cpp"))
    library(f"lib{PACKAGE}__rosidl_typesupport_fastrtps_c", "g++", fast, base)
    supports = [f"rosidl_typesupport_{kind}" for kind in KINDS]
    library(
        f"lib{PACKAGE}__rosidl_typesupport_c",
        "g++",
        sorted(sources.rglob("*type_support.cpp")),
        base,
        *supports[1:],
    )
    library(f"lib{PACKAGE}__rosidl_generator_py", "gcc", python, base, supports[0])
    for support in supports:
        entry = [sources / f"_{PACKAGE}_s.ep.{support}.c"]
        library(f"{PACKAGE}_s__{support}", "gcc", entry, "rosidl_generator_py", support, base)
    shutil.copytree(sources / "msg", home / "msg")
    # rclpy asks for the libraries by name alone: those that are loaded already are found so.
    loads = [f"CDLL(Path(__file__).with_name('lib{PACKAGE}__{one}.so'))" for one in supports]
    lines = ["from ctypes import CDLL", "from pathlib import Path", *loads]
    (home / "__init__.py").write_text("\n".join(lines) + "\n")
    return home.parent


def _includes(folder: Path) -> list[str]:
    above = [folder / "generated", folder / "introspection", PREFIX / "include"]
    python = sysconfig.get_paths()["include"]
    packages = sorted((PREFIX / "include").iterdir())
    return [f"-I{path}" for path in (*above, *packages, python, np.get_include())]


def _links() -> list[str]:
    names = [f"{one}__rosidl_generator_c" for one in NEEDED]
    names += [f"{one}__rosidl_generator_py" for one in NEEDED]
    names += [f"{one}__rosidl_typesupport_{kind}" for one in NEEDED for kind in KINDS]
    runtime = ["rosidl_runtime_c", "rosidl_typesupport_c", "rosidl_typesupport_fastrtps_c"]
    runtime += ["rosidl_typesupport_introspection_c", "rcutils", "fastcdr"]
    lib = PREFIX / "lib"
    search = [f"-L{lib}", f"-Wl,-rpath,{lib}", "-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined"]
    return [*search, "-Wl,--no-as-needed", *(f"-l{name}" for name in (*names, *runtime))]


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[:2]}: {done.stderr[-2000:]}"
