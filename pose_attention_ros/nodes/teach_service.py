"""The service `teach_action` of the nodes that recognise: translates requests into commands, and how things stand into
answers."""

from __future__ import annotations

from collections.abc import Callable

from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.teaching.commands import Teacher
from pose_attention_ros.inference.recogniser import Recogniser, find_model
from pose_attention_ros.inference.teaching import Teaching
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.stamps import time_of
from pose_attention_ros.ros.teach_messages import command_of_request
from pose_attention_ros.srv import TeachAction


class TeachService:
    """Lives from configure to cleanup."""

    def __init__(
        self, node: ManagedNode, stage: ActionStage, recogniser: Recogniser, announce: Callable[[ModelSpec], None]
    ) -> None:
        """
        :param announce: publishes the model with other classes
        :raises ModelError: what was taught before is damaged or does not fit
        """
        self._node, self._model_id = node, recogniser.spec.model_id
        teaching = Teaching(recogniser, find_model(node.settings.model), node.settings.taught)
        self._why_not = teaching.why_not
        self._teacher = Teacher(stage, teaching, announce)
        self._service = node.create_service(TeachAction, "teach_action", self._answer)

    def close(self) -> None:
        """End the service."""
        self._teacher.cancel()
        self._node.destroy_service(self._service)

    def _answer(self, asked: TeachAction.Request, answer: TeachAction.Response) -> TeachAction.Response:
        try:
            self._carry_out(asked)
            answer.success, answer.message = not self._why_not, self._why_not
        except UserError as error:
            answer.success, answer.message = False, str(error)
        answer.model_id = self._model_id
        answer.names = [action.name for action in self._teacher.taught]
        answer.take_counts = [len(action.takes) for action in self._teacher.taught]
        lesson = self._teacher.lesson
        if lesson is not None:
            takes = lesson.takes()
            answer.lesson, answer.lesson_track_id = lesson.name, lesson.track_id
            answer.take_begins = [time_of(take.begin_ns) for take in takes]
            answer.take_ends = [time_of(take.end_ns) for take in takes]
        return answer

    def _carry_out(self, asked: TeachAction.Request) -> None:
        command, fields = command_of_request(asked)
        if command == "begin" and not self._node.active:
            raise UserError("the node is not active, expected one that sees people: activate it first")
        self._teacher.do(command, **fields)
