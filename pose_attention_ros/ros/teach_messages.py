"""Commands of teaching as requests of the service `teach_action`, and back."""

from __future__ import annotations

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.teaching.commands import COMMANDS
from pose_attention_ros.srv import TeachAction

_NUMBERS = {
    "status": TeachAction.Request.STATUS,
    "begin": TeachAction.Request.BEGIN,
    "drop": TeachAction.Request.DROP_TAKE,
    "learn": TeachAction.Request.LEARN,
    "cancel": TeachAction.Request.CANCEL,
    "rename": TeachAction.Request.RENAME,
    "remove": TeachAction.Request.REMOVE,
}
_COMMANDS = {number: command for command, number in _NUMBERS.items()}
_HIGHEST_TAKE = 2**32 - 1


def request_of_command(command: str, **fields: str | int) -> TeachAction.Request:
    """One of COMMANDS and its fields. A take that no uint32 holds becomes the nearest that one does."""
    if "take" in fields:
        fields["take"] = min(max(int(fields["take"]), 0), _HIGHEST_TAKE)
    return TeachAction.Request(command=_NUMBERS[command], **fields)


def command_of_request(request: TeachAction.Request) -> tuple[str, dict[str, str | int]]:
    """The command's name and its fields. Raises UserError where there is no such command."""
    command = _COMMANDS.get(request.command)
    if command is None:
        raise UserError(f"command is {request.command}, expected 0 to {max(_COMMANDS)}")
    return command, {name: kind(getattr(request, name)) for name, kind in COMMANDS[command].items()}
