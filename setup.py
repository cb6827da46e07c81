"""The door without ROS: `pip install .[cpu]`. With ROS 2 the package is built by colcon from CMakeLists.txt."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent

# What runs on a robot. OpenCV stays at 4, which ROS distributions ship too.
RUNTIME = ["numpy>=1.21", "opencv-python-headless>=4.5,<5", "PyYAML>=5.4", "tqdm>=4.60"]
EXTRAS = {
    # The two inference backends: MoveNet's pose model (.tflite) and the recogniser (.onnx); bags are read without ROS.
    "cpu": ["ai-edge-litert>=1.0,<3", "tflite>=2.10,<3", "onnxruntime>=1.17,<2", "rosbags>=0.11.9,<0.12"],
    "onnx": ["onnx>=1.16,<2"],  # MoveNet on ONNX Runtime or TensorRT: the file is written on the user's machine
    "train": [
        "torch==2.13.0",
        "scipy>=1.8",
        "onnx>=1.16,<2",
        "onnxscript>=0.5",
        "safetensors>=0.4",
        "matplotlib>=3.7",
        "pycocotools>=2.0.8",
    ],
    # TensorRT for RTX builds engines without a GPU, so that what TensorRT makes of our ONNX files is seen anywhere.
    "test": [
        "pytest>=8",
        "pytest-timeout>=2.3",
        "pytest-xdist>=3.5",
        "hypothesis>=6.100",
        "rosbags>=0.11.9,<0.12",
        "playwright>=1.40",  # drives the browser that the system has, if any
        "tensorrt-rtx>=1.4,<2; sys_platform == 'linux' and platform_machine == 'x86_64' and python_version < '3.14'",
    ],
    "web": ["aiohttp>=3.8,<4"],  # the page: pose-attention view, web:=true
    "ray": ["ray>=2.9"],  # evaluate bags --ray
    "docs": ["sphinx==8.1.3", "myst-parser==4.0.1", "furo==2025.12.19"],
    "lint": ["ruff==0.17.5", "mypy==2.4.1", "types-PyYAML==6.0.12.20261122", "pre-commit==4.7.0"],
}

# What code looks for in its share folder (pose_attention_ros/inference/package_paths.py), laid out as CMakeLists.txt does.
SHARE = "share/pose_attention_ros"
SHARED = ("config", "launch", "models", "msg", "srv")


def share_files() -> list[tuple[str, list[str]]]:
    """Folder in the environment and the files that go there, for all of SHARED."""
    folders: dict[str, list[str]] = {SHARE: ["package.xml"]}
    for file in sorted(file for name in SHARED for file in (HERE / name).rglob("*")):
        if file.is_file() and not {"__pycache__", ".DS_Store"} & set(file.parts) and not file.name.startswith("._"):
            place = file.relative_to(HERE)
            folders.setdefault(f"{SHARE}/{place.parent.as_posix()}", []).append(place.as_posix())
    return list(folders.items())


def about() -> dict[str, object]:
    """What package.xml says of the package: the one place of its version, maintainer and addresses."""
    package = ElementTree.parse(HERE / "package.xml").getroot()
    maintainer = package.find("maintainer")
    return {
        "name": package.findtext("name"),
        "version": package.findtext("version"),
        "license": package.findtext("license"),
        "description": " ".join(package.findtext("description").split()),
        "maintainer": maintainer.text,
        "maintainer_email": maintainer.get("email"),
        "project_urls": {url.get("type", "website"): url.text for url in package.findall("url")},
    }


setup(
    **about(),
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.10",
    package_data={"pose_attention_ros.web": ["page/*"]},
    packages=find_packages(include=["pose_attention_ros", "pose_attention_ros.*"]),
    package_dir={"": "."},
    data_files=[] if "editable_wheel" in sys.argv else share_files(),  # an editable install reads the checkout itself
    install_requires=RUNTIME,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["pose-attention = pose_attention_ros.cli.main:main"]},
    zip_safe=False,
)
