"""The doctor's report for a person."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from osqueue.cli.doctor.report import CostEstimate, Latencies, RaceResult, Report
from osqueue.cli.endings import printable
from osqueue.cli.tables import make_console, moment

__all__ = ["print_report"]


def print_report(report: Report) -> None:
    """What was examined, then what was found."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in report_rows(report):
        table.add_row(name, Text(printable(value)))
    console = make_console()
    console.print(table)
    console.print()
    for finding in report.findings:
        style = "bold red" if finding.level == "problem" else "bold yellow"
        advice = f" ({finding.advice})" if finding.advice else ""
        line = Text(f"{finding.level}, {finding.check}: ", style=style)
        line.append(printable(f"{finding.message}{advice}"), style="default")
        console.print(line)
    problems = sum(finding.level == "problem" for finding in report.findings)
    ending = "1 problem" if problems == 1 else f"{problems} problems"
    console.print(
        "a queue can live here" if report.is_fine else f"{ending}: do not keep a queue here yet"
    )


def report_rows(report: Report) -> list[tuple[str, str]]:
    """The lines of the examination: name and text."""
    rows = [("store", report.store), ("queue", queue_text(report))]
    rows += [(aspect.name, aspect.told) for aspect in report.bucket or ()]
    if report.proof is not None:
        took_ms = sum(step.milliseconds for step in report.proof)
        rows.append(("proof", f"keeps conditions: {len(report.proof)} steps in {took_ms:,.0f} ms"))
    if report.race is not None:
        rows.append(("race", race_text(report.race)))
    size = f"{report.document_bytes / 1024:,.0f} KiB"
    for name, latencies in (
        (f"write of {size}", report.writes),
        (f"read of {size}", report.reads),
        ("read, unchanged", report.unchanged_reads),
    ):
        if latencies is not None:
            rows.append((name, latencies_text(latencies)))
    if report.clock_offset_ms is not None:
        # Rounded before it is written: a twentieth of a second behind is no "-0.0 s".
        offset_s = round(report.clock_offset_ms / 1_000, 1) or 0.0
        rows.append(("store's clock", f"{offset_s:+,.1f} s from this one"))
    if report.costs is not None:
        rows += cost_rows(report.costs)
    return rows


def queue_text(report: Report) -> str:
    """Who leads the queue that is there."""
    queue = report.queue
    if queue is None:
        return "none that was seen"
    leader = f"led by {queue.broker}" if queue.broker else "led by nobody"
    return f"{leader}, term {queue.epoch}, written {moment(queue.broker_heartbeat)}"


def race_text(race: RaceResult) -> str:
    """How the race went."""
    unclear = f", {race.unclear} unclear answers" if race.unclear else ""
    return (
        f"{race.racers} writers at once, {race.rounds} times: {race.rounds_won} won,"
        f" {race.lost} of {race.acknowledged} acknowledged writes lost{unclear}"
    )


def latencies_text(latencies: Latencies) -> str:
    """The percentiles of one kind of call."""
    return (
        f"p50 {latencies.p50:,.1f} ms, p90 {latencies.p90:,.1f}, p99 {latencies.p99:,.1f},"
        f" slowest {latencies.slowest:,.1f} of {latencies.samples}"
    )


def cost_rows(costs: CostEstimate) -> list[tuple[str, str]]:
    """What a month would cost, and how that comes about."""
    load = f"{costs.jobs_per_s:,g} jobs/s, {costs.workers:,} workers, {costs.standbys} standbys"
    requests = (
        f"{costs.writes_per_month:,} writes ({costs.writes_per_s:,g}/s),"
        f" {costs.reads_per_month:,} reads"
    )
    if costs.usd_per_month is None:
        price = "no prices known for this store: give them by --write-price and --read-price"
    elif not (costs.usd_per_million_writes or costs.usd_per_million_reads):
        price = "nothing: its requests are free"
    else:
        source = f"{costs.provider}, {costs.prices_from}" if costs.provider else "as given"
        price = (
            f"${costs.usd_per_month:,.2f} at ${costs.usd_per_million_writes:g} and"
            f" ${costs.usd_per_million_reads:g} a million ({source})"
        )
    rows = [("a month with", load), ("", requests), ("", price)]
    return rows + [("", note) for note in costs.notes]
