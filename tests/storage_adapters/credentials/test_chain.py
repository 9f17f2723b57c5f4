"""Tests the search through several places."""

import pytest

from storage_adapters.contract import AccessDenied, NotApplied, StoreMisconfigured
from storage_adapters.credentials.chain import Chain
from storage_adapters.signing import ANONYMOUS, AwsKeys, BearerToken, Credentials, HmacKey
from tests.storage_adapters.credentials.issuers import assert_hides


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


SECRET = "kept-from-everybody"


@pytest.mark.parametrize(
    "credentials",
    [
        AwsKeys("AKID", "s", f"{SECRET}\nrest"),
        AwsKeys(f"{SECRET}\n", "s"),
        HmacKey(f"{SECRET}\u2028", "s"),
        BearerToken(f"{SECRET}\r\n"),
        BearerToken(SECRET, quota_project="é"),
    ],
)
async def test_credentials_that_no_header_could_hold_are_not_given_out_and_not_shown(
    credentials: Credentials,
) -> None:
    chain = Chain([Place("a", credentials)], advice="set it up")
    with pytest.raises(StoreMisconfigured, match="the credentials of a hold a line br") as caught:
        await chain.fetch()
    assert_hides(caught.value, SECRET)


@pytest.mark.parametrize(
    "credentials", [ANONYMOUS, HmacKey("GOOG1E", "a\nb"), BearerToken("ya29.a-b_c/d+e=")]
)
async def test_everything_else_is_given_out(credentials: Credentials) -> None:
    assert await Chain([Place("a", credentials)], advice="").fetch() == credentials
