"""Runs the doctor: settings to store to report to exit status."""

from __future__ import annotations

import secrets

import trio

from osqueue.cli.broker.composition import QUEUE_KEY, make_store
from osqueue.cli.doctor.examination import Examination, Plan
from osqueue.cli.doctor.printing import print_report
from osqueue.cli.doctor.report import Report
from osqueue.cli.endings import ExitStatus
from osqueue.cli.showing import print_json
from osqueue.clocks import SystemClock
from osqueue.settings import Settings

__all__ = ["run_doctor"]


def run_doctor(settings: Settings, plan: Plan, *, as_json: bool) -> None:
    """Examine the store that the settings name, and print the report.

    Raises:
        SettingsError, StoreMisconfigured: there is no such store.
        SystemExit: with status 1 where there is a problem.
    """

    async def examine() -> Report:
        store = make_store(settings)
        try:
            examination = Examination(
                store,
                settings,
                plan,
                queue_key=QUEUE_KEY,
                scratch_name=secrets.token_hex(8),
                now_ms=SystemClock().now_ms(),
            )
            return await examination.run()
        finally:
            await store.aclose()

    report = trio.run(examine)
    if as_json:
        print_json(report)
    else:
        print_report(report)
    if not report.is_fine:
        raise SystemExit(ExitStatus.REFUSED)
