"""Tests the search through several places."""

import pytest

from storage_adapters.contract import AccessDenied, NotApplied
from storage_adapters.credentials.chain import Chain
from storage_adapters.signing import AwsKeys, Credentials


class Place:
    """An issuer that gives, or says, what a test puts into it."""

    def __init__(self, name: str, holds: Credentials | Exception | None) -> None:
        self.name = name
        self.holds = holds
        self.asked = 0

    async def fetch(self) -> Credentials | None:
        self.asked += 1
        if isinstance(self.holds, Exception):
            raise self.holds
        return self.holds


KEYS = AwsKeys("AKIDEXAMPLE", "hidden")


async def test_first_place_that_is_set_up_is_asked_from_then_on() -> None:
    nothing, first, second = Place("a", None), Place("b", KEYS), Place("c", KEYS)
    chain = Chain([nothing, first, second], advice="set it up")
    assert chain.name == "a, b, c"
    assert await chain.fetch() == KEYS
    assert chain.name == "b"
    nothing.holds = AwsKeys("another", "hidden")
    assert await chain.fetch() == KEYS
    assert (nothing.asked, first.asked, second.asked) == (1, 2, 0)


async def test_place_that_is_set_up_and_fails_ends_the_search() -> None:
    later = Place("b", KEYS)
    chain = Chain([Place("a", NotApplied("no answer")), later], advice="set it up")
    with pytest.raises(NotApplied, match="no answer"):
        await chain.fetch()
    assert later.asked == 0


async def test_nothing_anywhere_says_what_to_do_and_where_it_looked() -> None:
    chain = Chain([Place("a", None), Place("b", None)], advice="set it up")
    with pytest.raises(AccessDenied, match=r"no credentials found; set it up\. Looked in: a, b"):
        await chain.fetch()
