"""The command that examines a store before, or while, a queue lives in it."""

from __future__ import annotations

import click

from osqueue.cli.endings import end_with_line, reporting
from osqueue.cli.options import SectionedCommand, read_settings, setting_options
from osqueue.settings import SettingValue

__all__ = ["doctor"]

GROUPS = ("broker", "storage", "jobs")
"""The broker's and the jobs' settings are read from the environment: timeouts, intervals, lease."""


@click.command(cls=SectionedCommand)
@setting_options("storage")
@click.option(
    "--jobs-per-s",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Estimate costs for so many jobs a second.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Estimate costs for so many workers.",
)
@click.option(
    "--standbys",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Estimate costs for so many standby brokers.",
)
@click.option(
    "--write-price", type=click.FloatRange(0), metavar="USD", help="Price of a million writes."
)
@click.option(
    "--read-price", type=click.FloatRange(0), metavar="USD", help="Price of a million reads."
)
@click.option(
    "--racers",
    type=click.IntRange(2, 64),
    default=8,
    show_default=True,
    help="Writers that race for one version.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1_000),
    default=20,
    show_default=True,
    help="How often they race, and how often latencies are measured.",
)
@click.option(
    "--document-bytes",
    type=click.IntRange(0, 67_108_864),
    default=65_536,
    show_default=True,
    help="Size of what is written and read for the latencies.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def doctor(
    jobs_per_s: float,
    workers: int,
    standbys: int,
    write_price: float | None,
    read_price: float | None,
    racers: int,
    rounds: int,
    document_bytes: int,
    as_json: bool,
    **flags: SettingValue | None,
) -> None:
    """Examine a store: whether a queue can live there, how fast it is, and what it costs.

    Takes the settings of `osqueue server`. Only reads the queue; everything else happens on scratch
    keys under .probe/, which are removed. Exit status: 0 fine, 1 something is wrong.

    \b
    Examples:
      osqueue doctor
      STORAGE_BACKEND=s3 S3_BUCKET=jobs osqueue doctor --jobs-per-s 50
      osqueue doctor --storage-backend gcs --gcs-bucket jobs --rounds 5 --json
    """
    with reporting(end_with_line(as_json=as_json)):
        settings = read_settings(GROUPS, flags)
        from osqueue.cli.doctor.costs import Load
        from osqueue.cli.doctor.examination import Plan
        from osqueue.cli.doctor.running import run_doctor

        load = Load(
            jobs_per_s=jobs_per_s,
            workers=workers,
            standbys=standbys,
            usd_per_million_writes=write_price,
            usd_per_million_reads=read_price,
        )
        plan = Plan(
            racers=racers,
            rounds=rounds,
            samples=rounds,
            document_bytes=document_bytes,
            load=load,
        )
        run_doctor(settings, plan, as_json=as_json)
