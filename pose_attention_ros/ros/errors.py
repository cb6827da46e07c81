"""What goes wrong with what others send."""

from pose_attention_ros.core.errors import UserError


class MessageError(UserError):
    """A message that cannot be used: it is dropped, counted and reported; the node lives on."""
