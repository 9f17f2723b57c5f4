"""One conversation with a broker."""

from __future__ import annotations

import pytest

from osqueue.cli.asking import ask
from osqueue.cli.endings import CommandError
from osqueue.client import Client, Stats
from osqueue.core.errors import JobNotFound, Unavailable
from tests.cli.processes import OsqueueProcess


async def stats(client: Client) -> Stats:
    return await client.stats()


@pytest.mark.slow
def test_answer_is_returned(broker: OsqueueProcess) -> None:
    assert ask(stats, url=broker.url, timeout_s=20).epoch == 1


@pytest.mark.slow
def test_refusal_is_raised_by_itself_not_in_a_group(broker: OsqueueProcess) -> None:
    with pytest.raises(JobNotFound):
        ask(lambda client: client.get_job("missing"), url=broker.url, timeout_s=20)


@pytest.mark.slow
def test_several_addresses_are_tried(broker: OsqueueProcess) -> None:
    assert ask(stats, url=f"http://127.0.0.1:9,{broker.url}", timeout_s=20).epoch == 1


def test_nobody_there_is_unavailable_in_time() -> None:
    with pytest.raises(Unavailable):
        ask(stats, url="http://127.0.0.1:9", timeout_s=0.2)


@pytest.mark.parametrize("url", ["nonsense", "ftp://a", "s3://", ","])
def test_url_that_names_nothing_is_a_usage_error(url: str) -> None:
    with pytest.raises(CommandError):
        ask(stats, url=url, timeout_s=1)
