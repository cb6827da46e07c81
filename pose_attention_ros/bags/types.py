"""Message types without ROS: those that rosbags knows, and ours from the package's .msg files."""

from __future__ import annotations

from functools import cache
from typing import Any

from pose_attention_ros.core.errors import SourceError, one_line
from pose_attention_ros.inference.package_paths import PACKAGE, package_share

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
SKELETONS = f"{PACKAGE}/msg/SkeletonArray"
GRAPHS = f"{PACKAGE}/msg/SkeletonGraphArray"
ACTIONS = f"{PACKAGE}/msg/ActionLabelArray"
ACTION_MODEL = f"{PACKAGE}/msg/ActionModel"
SOURCE_STATUS = f"{PACKAGE}/msg/SourceStatus"
STRING = "std_msgs/msg/String"


@cache
def known_types() -> Any:
    """A rosbags type store. Raises SourceError where rosbags is not installed."""
    try:
        from rosbags.typesys import Stores, get_types_from_msg, get_typestore
    except ImportError:
        raise SourceError("bags need rosbags, which is not installed; run: pip install rosbags") from None
    store = get_typestore(Stores.LATEST)
    types: dict[str, Any] = {}
    try:
        files = sorted((package_share() / "msg").glob("*.msg"))
    except FileNotFoundError:
        files = []  # bags tell the definitions of their types themselves since Iron
    for file in files:
        types.update(get_types_from_msg(file.read_text(encoding="utf-8"), f"{PACKAGE}/msg/{file.stem}"))
    store.register(types)
    return store


class TypeReader:
    """Decodes the messages of one type: with the definition that the bag holds, else with the one known here.

    :raises SourceError: neither is there, or the bag's definition cannot be understood
    """

    def __init__(self, msgtype: str, definition: Any, ros1: bool) -> None:
        from rosbags.interfaces import MessageDefinitionFormat
        from rosbags.typesys import Stores, get_typestore

        self._msgtype, self._ros1 = msgtype, ros1
        self._store = known = known_types()
        self.as_here = not ros1  # whether its bytes are laid out as this package's own definition has it
        if definition is not None and definition.format != MessageDefinitionFormat.NONE:
            try:
                store = get_typestore(Stores.EMPTY)
                types = _types_in(definition, msgtype)
                store.register(types)
                self._store = store
                self.as_here &= all(known.fielddefs.get(name) == fields for name, fields in types.items())
            except Exception as error:  # the parsers raise their own kinds
                if msgtype not in self._store.fielddefs:
                    raise SourceError(f"the bag's definition of type {msgtype} cannot be read ({one_line(error)})") from None
        elif msgtype not in self._store.fielddefs:
            raise SourceError(f"type {msgtype} is unknown here, and the bag does not hold its definition")

    def __call__(self, raw: bytes) -> Any:
        """The message. Raises rosbags' own errors where the bytes do not fit."""
        decode = self._store.deserialize_ros1 if self._ros1 else self._store.deserialize_cdr
        return decode(raw, self._msgtype)


def _types_in(definition: Any, msgtype: str) -> dict[str, Any]:
    """The types that a definition text tells, in either of the two languages and forms that bags use."""
    from rosbags.interfaces import MessageDefinitionFormat
    from rosbags.typesys import get_types_from_idl, get_types_from_msg

    text, line = definition.data, "=" * 80 + "\n"
    if definition.format == MessageDefinitionFormat.MSG:
        return get_types_from_msg(text, msgtype)
    if not text.startswith(f"{line}IDL: "):
        return get_types_from_idl(text)
    types: dict[str, Any] = {}
    for part in text.split(line)[1:]:
        types.update(get_types_from_idl(part.split("\n", 1)[1]))
    return types
