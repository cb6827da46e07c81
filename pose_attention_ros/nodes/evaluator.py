"""evaluator: judges the answers of a running graph against labels; writes result.json, junit.xml and report.html.

Subscribes actions, action_model, skeleton_graphs, image_raw or image_raw/compressed (stamps only), source_status,
           /diagnostics, and with `labels_topic` a std_msgs/String: what somebody says is happening, until the next one

Ends when the source ends, when nothing came for `idle_timeout_s`, after `duration_s`, or on Ctrl-C, and writes then.
Exit code 1: a threshold is missed, or there was nothing to judge. With use_sim_time ages are in the time of /clock.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String

from pose_attention_ros.bags.label_sources import read_labels
from pose_attention_ros.bags.stream_labels import SpokenLabels, StreamLabels
from pose_attention_ros.core.config import setting
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.machine.file_names import at_home
from pose_attention_ros.core.messages.records import graphs_of_message, stamp_in
from pose_attention_ros.core.time.stamps import LeftOut
from pose_attention_ros.evaluation.label_map import read_label_map
from pose_attention_ros.evaluation.recordings.live_run import LiveRun
from pose_attention_ros.evaluation.report.files import write_result
from pose_attention_ros.evaluation.report.thresholds import check, read_thresholds
from pose_attention_ros.msg import ActionLabelArray, ActionModel, SkeletonGraphArray, SourceStatus
from pose_attention_ros.ros.action_messages import actions_of_message
from pose_attention_ros.ros.image_subscription import ImageSubscription
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.playback import SOURCE_IS_OVER
from pose_attention_ros.ros.qos import latched_profile, result_profile
from pose_attention_ros.ros.run import run
from pose_attention_ros.ros.settings import NodeConfig
from pose_attention_ros.ros.stamps import age_s, stamp_ns_of

_CHECK_PERIOD_S = 0.2
_LAST_WORDS_S = 2.0  # after the source's end its last results are still coming
_EARLY = 30  # answers that wait for the latched action_model


@dataclass(frozen=True)
class EvaluatorNodeConfig(NodeConfig):
    """Parameters of the evaluator node."""

    labels: str = setting("", "CSV file start_s,end_s,label[,person]; seconds from labels_begin_s, or stamps since 1970")
    labels_begin_s: float = setting(
        0.0,
        "stamp that second 0 of the labels stands for, such as that of the bag's first "
        "image; 0: the stamp of the first answer",
        unit="s",
        low=0.0,
    )
    labels_topic: str = setting("", "std_msgs/String with the label that holds from now on")
    label_map: str = setting("", "YAML file {label: class, or null for an action of no class}")
    rest_is_unknown: bool = setting(False, "time without a label counts as time in which no class is shown")
    thresholds: str = setting("", "YAML file of limits, as for evaluate bag")
    out: str = setting("out/evaluate/live", "folder for result.json, junit.xml and report.html")
    images: str = setting(
        "raw", "topic whose images are counted, to know which were never answered", choices=("raw", "compressed", "none")
    )
    idle_timeout_s: float = setting(
        10.0, "end when no answer came for this long after the first; 0: wait for ever", unit="s", low=0.0, high=3600.0
    )
    duration_s: float = setting(0.0, "end this long after the first answer; 0: no limit", unit="s", low=0.0, high=86400.0)


class EvaluatorNode(ManagedNode):
    """See the module."""

    default_name = "evaluator"
    settings_type = EvaluatorNodeConfig
    _run: LiveRun | None = None

    def configure(self) -> None:
        settings = self.settings
        self._left_out = LeftOut()
        self._thresholds = read_thresholds(at_home(settings.thresholds)) if settings.thresholds else {}
        self._label_map = read_label_map(at_home(settings.label_map)) if settings.label_map else None
        self._labels: StreamLabels | None = None
        if settings.labels and settings.labels_topic:
            raise UserError("labels come from a file or from a topic, not from both")
        if settings.labels:
            self._labels = read_labels(at_home(settings.labels), self._left_out)
            self._labels.zero_ns = round(settings.labels_begin_s * 1e9) or None
        elif settings.labels_topic:
            self._labels = SpokenLabels(settings.labels_topic, self._left_out)

    def activate(self) -> None:
        self._model: ActionModel | None = None
        self._early: list[tuple[ActionLabelArray, int]] = []
        self._nodes: dict[str, dict[str, str]] = {}
        self._first = self._heard = self._ended = None
        self.listen(ActionModel, "action_model", self._on_model, latched_profile())
        self.listen(SkeletonGraphArray, "skeleton_graphs", self._on_graphs, result_profile(100))
        self.listen(ActionLabelArray, "actions", self._on_actions, result_profile(100))
        self.listen(SourceStatus, "source_status", self._on_status, latched_profile())
        self.listen(DiagnosticArray, "/diagnostics", self._on_diagnostics, result_profile())
        if self.settings.labels_topic:
            self.listen(String, self.settings.labels_topic, self._on_label, result_profile(100))
        if self.settings.images != "none":
            ImageSubscription(self, self._on_image, transport=self.settings.images, reliability="auto", raw=True).open()
        self._watch = self.watch(_CHECK_PERIOD_S, self._check_end)

    def deactivate(self) -> None:
        self.destroy_timer(self._watch)
        self._write()

    def _on_model(self, message: ActionModel) -> None:
        self._model = message
        if self._run is None:
            about = {"model_id": message.model_id, "sha256": message.model_sha256, "classes": list(message.classes)}
            self._run = LiveRun(about, self._labels, self._label_map, self.settings.rest_is_unknown, self._left_out)
        for answer, now_ns in self._early:
            self._judge(answer, now_ns)
        self._early.clear()

    def _on_graphs(self, message: SkeletonGraphArray) -> None:
        if self._run is not None:
            self._run.add_graphs(graphs_of_message(message))

    def _on_image(self, raw: bytes) -> None:
        if self._run is not None and self._first is not None:  # what came before anybody answered was not dropped
            self._run.add_image(stamp_in(raw))

    def _on_label(self, message: String) -> None:
        self._labels.say(self.now_ns(), message.data.strip())

    def _on_status(self, message: SourceStatus) -> None:
        self._ended = time.monotonic() if message.state in SOURCE_IS_OVER else None

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self._nodes[status.name] = {pair.key: pair.value for pair in status.values}

    def _on_actions(self, message: ActionLabelArray) -> None:
        now_ns = self.now_ns()
        self._heard = time.monotonic()
        self._first = self._first or self._heard
        if self._model is None:
            self._early = [*self._early[-_EARLY:], (message, now_ns)]
            return
        self._judge(message, now_ns)

    def _judge(self, message: ActionLabelArray, now_ns: int) -> None:
        stamp_ns = stamp_ns_of(message.header)
        self._run.add_answer(actions_of_message(message, self._model), now_ns, age_s(stamp_ns, now_ns), message.latency)
        self.meter.done(0.0, age_s(stamp_ns, now_ns))

    def _check_end(self) -> None:
        now, settings = time.monotonic(), self.settings
        idle = settings.idle_timeout_s and self._heard is not None and now - self._heard > settings.idle_timeout_s
        over = settings.duration_s and self._first is not None and now - self._first > settings.duration_s
        if idle or over or (self._ended is not None and now - self._ended > _LAST_WORDS_S):
            self.stop(0)

    def _write(self) -> None:
        """Files and exit code."""
        live, self._run = self._run, None
        out = at_home(self.settings.out)
        try:
            if live is None:
                raise UserError("no action_model and no answers were heard: is the graph running, in this namespace?")
            values, pictures = live.finish("live", self.resolve_topic_name("actions"), self._nodes)
            checks = check(self._thresholds, values)
            lines = write_result(out, values, pictures, checks)
        except UserError as error:
            self.get_logger().error(str(error))
            self.exit_code = 1
            return
        print("\n".join(lines), flush=True)
        if not all(each.passed for each in checks):
            self.exit_code = 1


def main(arguments: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(EvaluatorNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
