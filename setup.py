"""Metadata and data files of the ament_python package `robot_vision`."""

import os
import sys
from pathlib import Path

from setuptools import find_packages, setup

NAME = "robot_vision"

# onnxruntime and onnxruntime-gpu overwrite each other's files, and no extra can leave a default
# requirement out: ROBOT_VISION_GPU=1 drops the CPU build, and the extra `gpu` brings its own.
ORT_CPU = [] if os.environ.get("ROBOT_VISION_GPU") == "1" else ["onnxruntime>=1.17"]
# colcon and bloom install into a prefix whose bin/ is on PATH, and programs (setup.cfg) into its
# lib/. pip, which builds a wheel, puts programs on PATH itself.
BY_PIP = bool({"bdist_wheel", "editable_wheel"} & set(sys.argv))
ON_PATH = [] if BY_PIP else [("bin", ["scripts/robot-vision"])]


def share(folder: str, pattern: str) -> tuple[str, list[str]]:
    """Data files that `ros2 launch` and the package's users find under share/robot_vision."""
    return f"share/{NAME}/{folder}", [str(f) for f in sorted(Path(folder).glob(pattern))]


SIM = ["mujoco>=3.3.7", "pycocotools>=2.0.8"]
TRAIN = [
    "torch>=2.5.1",
    "onnx>=1.17",
    "onnxscript>=0.5",
    "kornia>=0.8",
    "faster-coco-eval>=1.6",
    "matplotlib>=3.8",
    "safetensors>=0.4",
    "scikit-learn>=1.3",
]

CONSOLE = [
    "fastapi>=0.115",
    "uvicorn>=0.50",
    "websockets>=13",
    "python-multipart>=0.0.18",
    "httpx>=0.27",
    "prometheus-client>=0.20",
]

setup(
    name=NAME,
    version="0.2.0",
    description="Perception for robots on ROS 2: features, depth, tracked objects, actions",
    license="Apache-2.0",
    maintainer="robot_vision maintainers",
    maintainer_email="maintainers@example.com",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={
        NAME: [
            "py.typed",
            "data/**/*",
            "model_store/bundles/**/*",
            "replay/reporting/static/*",
            "console/static/*",
            "multimodal/static/*",
            "comparing/static/*",
        ]
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *ON_PATH,
        share("launch", "*.launch.py"),
        share("launch/arms", "*.launch.py"),
        share("config", "*.yaml"),
        share("config/compress", "*.yaml"),
        share("config", "*.xml"),
        share("config", "*.json5"),
        share("config/rviz", "*.rviz"),
        *(
            share(str(folder), "*.yaml")
            for parent in ("config/recipes", "config/arms")
            for folder in sorted(Path(parent).iterdir())
        ),
    ],
    zip_safe=False,
    install_requires=[
        "setuptools",
        "numpy>=1.22",
        "scipy>=1.8",
        "opencv-python-headless>=4.6",
        "pydantic>=2.5",
        "PyYAML>=6",
        "typer>=0.12",
        "rich>=13",
        "jaxtyping>=0.2.36",
        "psutil>=5.9",
        "threadpoolctl>=3.1",
        "rosbags>=0.10",
        "mcap>=1.2",
        *ORT_CPU,
    ],
    extras_require={
        "ros": [
            "ros-jazzy-rclpy[fastrtps]==7.1.6; platform_machine == 'x86_64'",
            "ros-common-interfaces==5.3.6; platform_machine == 'x86_64'",
        ],
        # In a virtual environment of its own: the packages have the names of Jazzy's.
        "ros-kilted": [
            "ros-kilted-rclpy[fastrtps]==9.1.2; platform_machine == 'x86_64'",
            "ros-common-interfaces==5.5.1; platform_machine == 'x86_64'",
        ],
        "gpu": ["onnxruntime-gpu[cuda,cudnn]>=1.20"],
        # Another engine for ONNX models on x86 (`device: openvino`). Its wheel asks for
        # openvino-telemetry, which only its converter uses: nothing of ours calls that.
        "openvino": ["openvino>=2025.0"],
        "parquet": ["pyarrow>=14"],
        "dataset": ["pyarrow>=14", "av>=15"],
        # For policies that take whole sentences by a frozen encoder.
        "sentences": ["tokenizers>=0.20"],
        # Policies on a server, and serving one.
        "remote": [
            "websockets>=15",
            "msgpack>=1.0",
            "grpcio>=1.60",
            "safetensors>=0.4",
        ],
        # GR00T's protocol. pyzmq is BSD-3; its wheels carry libzmq, which is MPL-2.0.
        "groot": ["pyzmq>=25"],
        # Integrated gradients; the other ways of explaining need `train` alone.
        "explain": [*TRAIN, "captum>=0.9"],
        # Structured pruning; the other steps of `compress` need `train` alone.
        "compress": [*TRAIN, "torch-pruning>=1.6"],
        # Models by name (`models get`); what comes of them runs without it.
        "foundation": [*TRAIN, "transformers>=5.23", "huggingface_hub>=1.0"],
        # For vision-language models as policies: docs/vla.md.
        "vla": ["transformers>=5.23", "safetensors>=0.4", "tokenizers>=0.20", "peft>=0.19"],
        "ray": ["ray>=2.9"],
        "similar": ["voyager>=2.1"],
        # Models of providers that answer questions about pictures; local ones: foundation.
        "multimodal": ["httpx>=0.27"],
        "sim": SIM,
        "train": [*TRAIN, *SIM],
        "console": CONSOLE,
        "test": ["pytest"],
    },
    entry_points={
        "console_scripts": [
            "robot-vision = robot_vision.cli:main",
            "perception_node = robot_vision.ros.run:main",
            "policy_node = robot_vision.ros.run:policy_main",
            "vla_node = robot_vision.ros.run:vla_main",
            "robot_sim = robot_vision.ros.simulation.node:main",
            "console_node = robot_vision.ros.console.run:main",
        ]
    },
)
