"""The door without ROS: `pip install -e .[cpu]`. With ROS 2 the package is built by colcon from CMakeLists.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

# What runs on a robot. norfair (tracking): 2.2 and later forbid NumPy 2, without which there is nothing for Python 3.13.
# OpenCV stays at 4, which ROS distributions ship too.
RUNTIME = [
    "numpy>=1.21",
    "norfair>=2.1.1,<2.2",
    "opencv-python-headless>=4.5,<5",
    "PyYAML>=5.4",
    "tqdm>=4.60",
]
EXTRAS = {
    # The two inference backends: MoveNet's pose model (.tflite) and the recogniser (.onnx); bags are read without ROS.
    "cpu": ["ai-edge-litert>=1.0,<3", "onnxruntime>=1.17,<2", "rosbags>=0.11.9,<0.12"],
    "train": ["torch==2.13.0", "scipy>=1.8", "onnx>=1.16,<2", "onnxscript>=0.5", "safetensors>=0.4", "matplotlib>=3.7",
              "pycocotools>=2.0.8"],
    # TensorRT for RTX builds engines without a GPU, so that what TensorRT makes of our ONNX files is seen anywhere.
    "test": ["pytest>=8", "pytest-timeout>=2.3", "pytest-xdist>=3.5", "hypothesis>=6.100", "rosbags>=0.11.9,<0.12",
             "tensorrt-rtx>=1.4,<2; sys_platform == 'linux' and platform_machine == 'x86_64' and python_version < '3.14'"],
    "ray": ["ray>=2.9"],  # evaluate bags --ray
    "lint": ["ruff==0.17.5"],
}

setup(
    name="pose_attention_ros",
    version=re.search(r'__version__ = "(.+)"', (HERE / "pose_attention_ros/__init__.py").read_text()).group(1),
    description="Pose-attention action recognition: camera, 2D pose, human graph, attention GRU, action label",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["pose_attention_ros", "pose_attention_ros.*"]),
    package_dir={"": "."},
    install_requires=RUNTIME,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["pose-attention = pose_attention_ros.cli.main:main"]},
    zip_safe=False,
)
