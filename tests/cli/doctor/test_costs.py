"""The arithmetic of costs: what it says for loads that can be checked by hand."""

from __future__ import annotations

from typing import Any

import pytest

from osqueue.cli.doctor.costs import MONTH_S, PRICES, Load, estimate_costs, provider_of
from osqueue.settings import Settings

S3 = Settings(storage_backend="s3", s3_bucket="jobs")
GCS = Settings(storage_backend="gcs", gcs_bucket="jobs")
R2_URL = "https://4711.r2.cloudflarestorage.com"


def on_s3(**settings: Any) -> Settings:
    return Settings(storage_backend="s3", s3_bucket="jobs", **settings)


def test_idle_queue_costs_its_heartbeats_and_the_looks_of_standbys() -> None:
    costs = estimate_costs(Load(jobs_per_s=0, standbys=1), S3, write_ms=50)
    assert costs.writes_per_month == round(MONTH_S / 3) == 876_600
    assert costs.reads_per_month == 1_753_200
    assert costs.usd_per_month == pytest.approx(876_600 * 5 / 1e6 + 1_753_200 * 0.4 / 1e6, abs=0.01)
    assert "as an idle leader: heartbeats are most of the writes" in costs.notes
    assert estimate_costs(Load(jobs_per_s=0, standbys=0), S3, write_ms=50).usd_per_month == 4.38


def test_few_jobs_cost_two_writes_each() -> None:
    costs = estimate_costs(Load(jobs_per_s=2), S3, write_ms=50)
    assert costs.writes_per_s == 4


def test_many_jobs_share_writes_as_fast_as_the_store_takes_them() -> None:
    costs = estimate_costs(Load(jobs_per_s=1_000), S3, write_ms=50)
    assert costs.writes_per_s == 20
    assert "one write carries about 100 changes: writes start 50 ms apart" in costs.notes
    slower = on_s3(group_commit_interval_ms=200)
    assert estimate_costs(Load(jobs_per_s=1_000), slower, write_ms=50).writes_per_s == 5


def test_gcs_and_r2_write_once_a_second_at_most() -> None:
    for settings in (GCS, on_s3(s3_endpoint_url=R2_URL)):
        assert estimate_costs(Load(jobs_per_s=1_000), settings, write_ms=50).writes_per_s == 1


def test_workers_cost_nothing() -> None:
    few, many = (estimate_costs(Load(workers=workers), S3, write_ms=50) for workers in (1, 10_000))
    assert few.usd_per_month == many.usd_per_month
    assert "workers add no writes: the heartbeats of 10,000 ride along" in many.notes


@pytest.mark.parametrize(
    ("budgets", "writes_per_s"),
    [
        ({"s3_max_writes_per_minute": 60}, 1.0),
        ({"s3_max_writes_per_day": 86_400}, 1.0),
        ({"s3_max_writes_per_minute": 60, "s3_max_writes_per_day": 86_400}, 2.0),
    ],
)
def test_budgets_bound_the_writes(budgets: dict[str, int], writes_per_s: float) -> None:
    costs = estimate_costs(Load(jobs_per_s=100), on_s3(**budgets), write_ms=50)
    assert costs.writes_per_s == writes_per_s
    assert "the budgets hold writes back; changes wait and share a write" in costs.notes


@pytest.mark.parametrize(
    ("settings", "provider"),
    [
        (S3, "s3"),
        (on_s3(s3_endpoint_url="https://s3.eu-west-1.amazonaws.com"), "s3"),
        (on_s3(s3_endpoint_url=R2_URL), "r2"),
        (on_s3(s3_endpoint_url="http://127.0.0.1:9000"), None),
        (GCS, "gcs"),
        (
            Settings(
                storage_backend="gcs", gcs_bucket="jobs", storage_emulator_host="127.0.0.1:4443"
            ),
            None,
        ),
    ],
)
def test_prices_are_those_of_the_provider(settings: Settings, provider: str | None) -> None:
    assert provider_of(settings) == provider
    costs = estimate_costs(Load(), settings, write_ms=50)
    if provider is None:
        assert (costs.provider, costs.usd_per_month) == ("", None)
    else:
        assert costs.provider == PRICES[provider].provider
        assert costs.prices_from == "2026-11"


@pytest.mark.parametrize("backend", ["file", "memory"])
def test_stores_of_this_machine_charge_nothing(backend: str) -> None:
    settings = Settings(storage_backend=backend)
    assert provider_of(settings) is None
    costs = estimate_costs(Load(), settings, write_ms=50)
    assert (costs.provider, costs.usd_per_month) == ("", 0)


def test_given_prices_win_and_do_for_unknown_stores() -> None:
    load = Load(jobs_per_s=0, usd_per_million_writes=10, usd_per_million_reads=1)
    for settings in (S3, Settings()):
        assert estimate_costs(load, settings, write_ms=1).usd_per_month == 10.52
