"""The service `teach_action` of the nodes that recognise: translates requests into a lesson of the action stage."""

from __future__ import annotations

from collections.abc import Callable

from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.teaching.lesson import Lesson, lesson_of
from pose_attention_ros.inference.recogniser import Recogniser, find_model
from pose_attention_ros.inference.teaching import Teaching
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.stamps import time_of
from pose_attention_ros.srv import TeachAction


class TeachService:
    """Lives from configure to cleanup."""

    def __init__(self, node: ManagedNode, stage: ActionStage, recogniser: Recogniser,
                 announce: Callable[[ModelSpec], None]) -> None:
        """
        :param announce: publishes the model with other classes
        :raises ModelError: what was taught before is damaged or does not fit
        """
        self._node, self._stage, self._announce = node, stage, announce
        self._teaching = Teaching(recogniser, find_model(node.settings.model), node.settings.taught)
        stage.teach(self._teaching.taught)
        announce(stage.described)
        self._service = node.create_service(TeachAction, "teach_action", self._answer)
        request = TeachAction.Request
        self._commands = {request.STATUS: lambda asked: None, request.BEGIN: self._begin, request.DROP_TAKE: self._drop,
                          request.LEARN: self._learn, request.CANCEL: self._cancel, request.RENAME: self._rename,
                          request.REMOVE: lambda asked: self._teaching.remove(asked.name)}

    def close(self) -> None:
        """End the service."""
        self._stage.lesson = None
        self._node.destroy_service(self._service)

    def _answer(self, asked: TeachAction.Request, answer: TeachAction.Response) -> TeachAction.Response:
        answer.success, taught = True, self._teaching.taught
        try:
            self._teaching.require()
            if asked.command not in self._commands:
                raise UserError(f"command is {asked.command}, expected 0 to {max(self._commands)}")
            self._commands[asked.command](asked)
        except UserError as error:
            answer.success, answer.message = False, str(error)
        if self._teaching.taught is not taught:
            self._stage.teach(self._teaching.taught)
            self._announce(self._stage.described)
        self._tell(answer)
        return answer

    def _tell(self, answer: TeachAction.Response) -> None:
        answer.model_id, actions = self._teaching.spec.model_id, getattr(self._teaching.taught, "actions", ())
        answer.names, answer.take_counts = [action.name for action in actions], [len(action.takes) for action in actions]
        lesson = self._stage.lesson
        if lesson is not None:
            takes = lesson.takes()
            answer.lesson, answer.lesson_track_id = lesson.name, lesson.track_id
            answer.take_begins = [time_of(take.begin_ns) for take in takes]
            answer.take_ends = [time_of(take.end_ns) for take in takes]

    def _begin(self, asked: TeachAction.Request) -> None:
        if not self._node.active:
            raise UserError("the node is not active, expected one that sees people: activate it first")
        self._stage.lesson = lesson_of(self._stage.lesson, asked.name, int(asked.track_id), self._teaching.spec)

    def _lesson(self) -> Lesson:
        if self._stage.lesson is None:
            raise UserError("no action is being taught: begin first")
        return self._stage.lesson

    def _drop(self, asked: TeachAction.Request) -> None:
        self._lesson().delete(int(asked.take))

    def _learn(self, asked: TeachAction.Request) -> None:
        self._teaching.add(self._lesson().learnt(self._teaching.require().space))
        self._stage.lesson = None

    def _cancel(self, asked: TeachAction.Request) -> None:
        self._stage.lesson = None

    def _rename(self, asked: TeachAction.Request) -> None:
        self._teaching.rename(asked.name, asked.new_name)
