"""JUnit XML of an evaluation: a suite a bag, a case a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.evaluation.report.thresholds import Check


@dataclass(frozen=True)
class Suite:
    """One bag: its checks, or the error that kept it from being evaluated."""

    name: str
    checks: Sequence[Check]
    seconds: float = 0.0
    error: str = ""


def write_junit(path: Path, suites: Sequence[Suite]) -> None:
    """Write the file. A bag without thresholds has one case that passed. Raises UserError where it cannot be written."""
    root = ElementTree.Element("testsuites", name="pose-attention evaluate")
    for suite in suites:
        element = ElementTree.SubElement(root, "testsuite", name=suite.name, time=f"{suite.seconds:.3f}")
        failures = 0
        for each in suite.checks:
            case = _case(element, suite.name, f"{each.name} {each.limit} {each.bound:g}")
            if not each.passed:
                failures += 1
                ElementTree.SubElement(case, "failure", message=str(each), type="threshold").text = str(each)
        if suite.error:
            case = _case(element, suite.name, "evaluated")
            ElementTree.SubElement(case, "error", message=suite.error, type="UserError").text = suite.error
        elif not suite.checks:
            _case(element, suite.name, "evaluated")
        element.set("tests", str(len(element)))
        element.set("failures", str(failures))
        element.set("errors", str(int(bool(suite.error))))
        element.set("skipped", "0")
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ElementTree.indent(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def _case(suite: ElementTree.Element, bag: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=f"bag.{bag}", name=name, time="0")
