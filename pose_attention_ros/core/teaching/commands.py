"""What may be asked while actions are taught: by the page, and by the service `teach_action`. Each caller reads its own
messages into a command's name and fields; what the command does is written here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.teaching.actions import TaughtAction, TaughtActions
from pose_attention_ros.core.teaching.lesson import Lesson, lesson_of

# command -> the fields that it takes, and their types
# fmt: off
COMMANDS: dict[str, dict[str, type]] = {
    "status": {}, "begin": {"name": str, "track_id": int}, "drop": {"take": int}, "learn": {}, "cancel": {},
    "rename": {"name": str, "new_name": str}, "remove": {"name": str}}
# fmt: on


class Learner(Protocol):
    """Who watches the lesson and looks for what was taught: core.action_stage.ActionStage."""

    lesson: Lesson | None

    @property
    def described(self) -> ModelSpec: ...

    def teach(self, taught: TaughtActions | None) -> None: ...


class TaughtFile(Protocol):
    """What was taught, and where it is kept: inference.teaching.Teaching."""

    spec: ModelSpec
    taught: TaughtActions | None

    def require(self) -> TaughtActions: ...

    def add(self, action: TaughtAction) -> None: ...

    def remove(self, name: str) -> None: ...

    def rename(self, name: str, new_name: str) -> None: ...


class Teacher:
    """Carries out COMMANDS, with the learner and the file always of the same mind."""

    def __init__(self, learner: Learner, file: TaughtFile, announce: Callable[[ModelSpec], None]) -> None:
        """:param announce: called with the model as it is now: at once, and whenever its classes have changed"""
        self._learner, self._file, self._announce = learner, file, announce
        self._carry_out: dict[str, Callable[..., None]] = {
            "begin": self._begin,
            "drop": self._drop,
            "learn": self._learn,
            "cancel": self.cancel,
            "rename": file.rename,
            "remove": file.remove,
        }
        self._tell()

    @property
    def lesson(self) -> Lesson | None:
        """The one that goes on."""
        return self._learner.lesson

    @property
    def taught(self) -> tuple[TaughtAction, ...]:
        """What the model knows beside its own classes."""
        return self._file.taught.actions if self._file.taught is not None else ()

    def do(self, command: str, **fields: str | int) -> None:
        """One of COMMANDS with its fields; `status` changes nothing.

        :raises UserError: it cannot be done, or the model cannot be taught
        """
        if command == "status":
            return
        before = self._file.require()
        self._carry_out[command](**fields)
        if self._file.taught is not before:
            self._tell()

    def cancel(self) -> None:
        """Forget the lesson, if there is one."""
        self._learner.lesson = None

    def _tell(self) -> None:
        self._learner.teach(self._file.taught)
        self._announce(self._learner.described)

    def _begin(self, name: str, track_id: int) -> None:
        self._learner.lesson = lesson_of(self._learner.lesson, name, track_id, self._file.spec)

    def _going_on(self) -> Lesson:
        if self._learner.lesson is None:
            raise UserError("no action is being taught: begin first")
        return self._learner.lesson

    def _drop(self, take: int) -> None:
        self._going_on().delete(take)

    def _learn(self) -> None:
        self._file.add(self._going_on().learnt(self._file.require().space))
        self.cancel()
