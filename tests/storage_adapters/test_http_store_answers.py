"""The table of answers in docs/storage.md, row by row on the servers that run here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage_adapters.bodies import digest_of
from storage_adapters.contract import ABSENT, Condition, Match, Version
from storage_adapters.exchanges import Answer, BucketRequest, Dialect
from storage_adapters.http_store import HttpStore
from tests.emulators.peers import GcsPeer, Peers, S3Peer
from tests.house.tree import ROOT

pytestmark = pytest.mark.slow

KEY = "answers/key"


def column(title: str) -> dict[str, str]:
    """The statuses of a column, by the request of the row."""
    manual = (ROOT / "docs/storage.md").read_text(encoding="utf-8")
    head, *rows = manual.partition("| request | AWS S3 |")[2].partition("\n\n")[0].split("\n")
    index = f"| request | AWS S3 |{head}".split("|").index(f" {title} ")
    cells = [row.split("|") for row in rows[1:]]
    return {row[1].strip(): row[index].strip()[:3] for row in cells}


class Asked:
    """Sends one request a call, and gives the status alone."""

    def __init__(self, store: HttpStore) -> None:
        self.store = store

    async def send(self, build: Callable[[Dialect], BucketRequest]) -> Answer:
        return await self.store._exchange(build)  # pyright: ignore[reportPrivateUsage]

    async def put(self, key: str, body: bytes, condition: Condition) -> str:
        name = self.store.dialect.digest_name
        digest = None if name is None else digest_of([body], name)
        answer = await self.send(
            lambda dialect: dialect.put(
                key, [body], digest=digest, condition=condition, metadata={}
            )
        )
        return str(answer.status)

    async def read(self, key: str, known: Version | None = None) -> str:
        answer = await self.send(
            lambda dialect: dialect.read(key, if_changed_from=known, head_bytes=None)
        )
        return str(answer.status)

    async def version(self) -> Version:
        found = await self.store.read(KEY)
        return found.version  # pyright: ignore


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("ministack", "ministack*, moto*"),
        ("moto", "ministack*, moto*"),
        ("fake_gcs", "fake-gcs-server*"),
    ],
)
async def test_answers_are_those_of_the_manual(name: str, title: str, peers: Peers) -> None:
    peer: S3Peer | GcsPeer = getattr(peers, name)
    asked = Asked(peer.open())
    answers = {"create, nothing there": await asked.put(KEY, b"1", ABSENT)}
    answers["create, something there"] = await asked.put(KEY, b"2", ABSENT)
    first = await asked.version()
    answers["replace, right version"] = await asked.put(KEY, b"3", Match(first))
    answers["replace, other version"] = await asked.put(KEY, b"4", Match(first))
    answers["replace, nothing there"] = await asked.put("answers/none", b"5", Match(first))
    answers["read, unchanged"] = await asked.read(KEY, await asked.version())
    answers["read, nothing there"] = await asked.read("answers/none")
    gone = await asked.send(lambda dialect: dialect.delete("answers/none"))
    answers["delete, nothing there"] = str(gone.status)
    await asked.store.delete(KEY)
    await asked.store.aclose()
    manual = column(title)
    assert answers == {row: manual[row] for row in answers}
    assert len(manual) == len(answers) + 2
