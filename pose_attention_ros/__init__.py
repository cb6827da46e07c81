"""Pose-attention action recognition for ROS 2: camera, 2D pose, human graph, attention GRU, action label."""

from pkgutil import extend_path

# The generated `pose_attention_ros.msg` may lie in an install space while this source tree comes first on the path.
__path__ = extend_path(__path__, __name__)
