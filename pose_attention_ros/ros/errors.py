"""What goes wrong with what others send."""

from pose_attention_ros.core.errors import MessageError

__all__ = ["MessageError"]
