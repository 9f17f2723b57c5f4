"""The report for a person: every part by a line, findings by their level."""

from __future__ import annotations

import pytest

from osqueue.cli.doctor.costs import Load, estimate_costs
from osqueue.cli.doctor.printing import print_report
from osqueue.cli.doctor.report import (
    BucketAspect,
    Finding,
    Latencies,
    ProvenStep,
    QueueFound,
    RaceResult,
    Report,
)
from osqueue.settings import Settings


def test_full_report_shows_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(storage_backend="s3", s3_bucket="jobs")
    latencies = Latencies(samples=20, p50=1.25, p90=2, p99=3, slowest=1_234)
    report = Report(
        store="S3 store at s3://jobs/",
        bucket=[
            BucketAspect(name="versioning", is_known=True, told="off"),
            BucketAspect(name="retention", is_known=False, told="not known: needs a look"),
        ],
        queue=QueueFound(broker="10.0.0.7:8080", epoch=7, broker_heartbeat=1_706_000_000_000),
        proof=[ProvenStep("create", 10), ProvenStep("create again", 5)],
        race=RaceResult(racers=8, rounds=20, rounds_won=20, acknowledged=20, lost=0, unclear=1),
        writes=latencies,
        document_bytes=65_536,
        clock_offset_ms=-1_500,
        costs=estimate_costs(Load(jobs_per_s=0, standbys=0), settings, write_ms=50),
    )
    print_report(report)
    shown = capsys.readouterr().out
    for text in (
        "S3 store at s3://jobs/",
        "led by 10.0.0.7:8080, term 7, written 2024-01-23",
        "versioning       off",
        "retention        not known: needs a look",
        "keeps conditions: 2 steps in 15 ms",
        "8 writers at once, 20 times: 20 won, 0 of 20 acknowledged writes lost, 1 unclear answers",
        "write of 64 KiB",
        "p50 1.2 ms, p90 2.0, p99 3.0, slowest 1,234.0 of 20",
        "-1.5 s from this one",
        "0 jobs/s, 10 workers, 0 standbys",
        "876,600 writes (0.333/s), 0 reads",
        "$4.38 at $5 and $0.4 a million (S3 Standard, us-east-1, 2026-11)",
        "a queue can live here",
    ):
        assert text in shown
    assert "read of" not in shown


def test_clock_a_little_behind_is_not_negative_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(Report(store="here", clock_offset_ms=-20))
    assert "+0.0 s from this one" in capsys.readouterr().out


def test_findings_and_their_number_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(store="here", queue=QueueFound(broker=None, epoch=1, broker_heartbeat=0))
    report.add(Finding(level="problem", check="race", message="3 lost", advice="move"))
    print_report(report)
    report.add(Finding(level="problem", check="clock", message="off"))
    report.add(Finding(level="warning", check="queue", message="\x1b[31mred"))
    unknown = Settings(storage_backend="s3", s3_bucket="jobs", s3_endpoint_url="http://127.0.0.1")
    report.costs = estimate_costs(Load(), unknown, write_ms=1)
    print_report(report)
    shown = capsys.readouterr().out
    assert "led by nobody" in shown
    assert "problem, race: 3 lost (move)\n1 problem: do not keep a queue here yet" in shown
    assert "2 problems: do not keep a queue here yet" in shown
    assert "\x1b[31m" not in shown
    assert "no prices known for this store" in shown


def test_store_that_charges_nothing_is_said_to(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(store="file store at ./osqueue-data")
    report.costs = estimate_costs(Load(), Settings(), write_ms=1)
    print_report(report)
    assert "nothing: its requests are free" in capsys.readouterr().out
