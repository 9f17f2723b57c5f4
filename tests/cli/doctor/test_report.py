"""The report: what makes it bad, and its names as JSON."""

import msgspec

from osqueue.cli.doctor.report import Finding, Report


def test_warning_leaves_the_store_fine_and_a_problem_does_not() -> None:
    report = Report(store="here")
    report.add(Finding(level="warning", check="clock", message="a little off"))
    assert report.is_fine
    report.add(Finding(level="problem", check="race", message="lost"))
    report.add(Finding(level="warning", check="clock", message="again"))
    assert not report.is_fine
    assert [finding.level for finding in report.findings] == ["warning", "problem", "warning"]


def test_names_are_those_of_the_wire() -> None:
    encoded = msgspec.to_builtins(Report(store="here", clock_offset_ms=7))
    assert encoded["isFine"] is True
    assert encoded["clockOffsetMs"] == 7
