"""What a node takes for its start and leaves at its end."""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from node_helpers import NodeProcess

# Each costs every start a tenth of a second or more, and a recogniser of joints needs none of them.
NEEDLESS = {"cv2", "em", "lark", "numpy.ma", "onnxruntime", "scipy", "torch", "aiohttp", "rosbags", "matplotlib"}


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs Linux")
def test_a_node_loads_what_it_needs_and_leaves_no_shared_memory():
    before = {str(file) for file in Path("/dev/shm").iterdir()}  # a node maps what other processes of its domain share, too
    node = NodeProcess("action", f"/start_{uuid.uuid4().hex[:8]}", {}, environment={"PYTHONPROFILEIMPORTTIME": "1"})
    try:
        node.wait_for_line(": active")
        mapped = set(re.findall(r"/dev/shm/fastrtps_(?!port)\S+", Path(f"/proc/{node.pid}/maps").read_text())) - before
    finally:
        node.terminate()
        node.wait_or_kill()
    loaded = {line.rpartition("|")[2].strip() for line in node.lines if line.startswith("import time:")}
    assert "rclpy.node" in loaded and not NEEDLESS & loaded
    assert mapped or os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp") != "rmw_fastrtps_cpp"
    assert not [file for file in mapped if Path(file).exists()]
