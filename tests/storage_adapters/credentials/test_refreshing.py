"""Tests the keeping and renewing of credentials, on the clock that jumps."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from storage_adapters.contract import AccessDenied, NotApplied, StoreError
from storage_adapters.credentials.refreshing import RefreshingSource
from storage_adapters.signing import AwsKeys, Credentials, HmacKey

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
EPOCH_MS = 1_700_000_000_000


def now_ms() -> int:
    return EPOCH_MS + round(trio.current_time() * 1_000)


class NumberedKeys:
    """An issuer whose keys are numbered and live for a time; slow or failing as a test asks."""

    name = "numbered keys"

    def __init__(self, life_ms: int | None = HOUR_MS) -> None:
        self.life_ms = life_ms
        self.begun = 0
        self.given = 0
        self.delay_s = 0.0
        self.failure: StoreError | None = None

    async def fetch(self) -> Credentials | None:
        self.begun += 1
        await trio.sleep(self.delay_s)
        if self.failure is not None:
            raise self.failure
        self.given += 1
        ends_at_ms = None if self.life_ms is None else now_ms() + self.life_ms
        return AwsKeys(f"key {self.given}", "hidden", expires_at_ms=ends_at_ms)


async def current_id(source: RefreshingSource) -> str:
    keys = await source.current()
    assert isinstance(keys, AwsKeys)
    return keys.access_key_id


async def test_credentials_are_kept_until_ten_minutes_before_their_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    issuer = NumberedKeys()
    source = RefreshingSource(issuer, now_ms=now_ms)
    assert issuer.begun == 0
    assert await current_id(source) == "key 1"
    autojump_clock.jump(50 * 60 - 1)
    assert await current_id(source) == "key 1"
    autojump_clock.jump(1)
    assert await current_id(source) == "key 2"
    assert issuer.begun == 2
    assert source.description == "numbered keys"


async def test_short_lived_credentials_are_renewed_in_the_middle_of_their_life(
    autojump_clock: trio.testing.MockClock,
) -> None:
    source = RefreshingSource(NumberedKeys(10 * MINUTE_MS), now_ms=now_ms)
    assert await current_id(source) == "key 1"
    autojump_clock.jump(5 * 60 - 1)
    assert await current_id(source) == "key 1"
    autojump_clock.jump(1)
    assert await current_id(source) == "key 2"


async def test_credentials_without_an_end_are_fetched_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    issuer = NumberedKeys(None)
    source = RefreshingSource(issuer, now_ms=now_ms)
    for _ in range(3):
        assert await current_id(source) == "key 1"
        autojump_clock.jump(1_000_000)
    assert issuer.begun == 1


async def test_many_callers_share_one_fetch(autojump_clock: trio.testing.MockClock) -> None:
    issuer = NumberedKeys()
    issuer.delay_s = 1
    source = RefreshingSource(issuer, now_ms=now_ms)
    given: list[str] = []

    async def ask() -> None:
        given.append(await current_id(source))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
    assert given == ["key 1"] * 20
    assert issuer.begun == 1
    assert trio.current_time() == pytest.approx(1)


async def test_many_callers_share_one_failure_and_the_next_one_tries_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    issuer = NumberedKeys()
    issuer.delay_s = 1
    issuer.failure = AccessDenied("the role is gone")
    source = RefreshingSource(issuer, now_ms=now_ms)
    refused = 0

    async def ask() -> None:
        nonlocal refused
        with pytest.raises(AccessDenied, match="the role is gone"):
            await source.current()
        refused += 1

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
    assert (refused, issuer.begun) == (20, 1)
    issuer.failure = None
    assert await current_id(source) == "key 1"


async def test_renewal_ahead_of_time_holds_up_nobody_else(
    autojump_clock: trio.testing.MockClock,
) -> None:
    issuer = NumberedKeys()
    source = RefreshingSource(issuer, now_ms=now_ms)
    await source.current()
    autojump_clock.jump(55 * 60)
    issuer.delay_s = 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.current)
        await wait_all_tasks_blocked()
        before = trio.current_time()
        assert await current_id(source) == "key 1"
        assert trio.current_time() == before
    assert await current_id(source) == "key 2"
    assert issuer.begun == 2


@pytest.mark.parametrize("failure", [NotApplied("no answer"), AccessDenied("refused")])
async def test_old_credentials_stay_while_valid_when_their_renewal_fails(
    autojump_clock: trio.testing.MockClock, failure: StoreError
) -> None:
    told: list[tuple[StoreError, int]] = []
    issuer = NumberedKeys()
    source = RefreshingSource(
        issuer, now_ms=now_ms, on_failed_renewal=lambda *failed: told.append(failed)
    )
    first = await source.current()
    assert isinstance(first, AwsKeys)
    issuer.failure = failure
    autojump_clock.jump(50 * 60)
    assert await current_id(source) == "key 1"
    assert told == [(failure, first.expires_at_ms)]
    # Not at once again.
    assert await current_id(source) == "key 1"
    assert issuer.begun == 2
    autojump_clock.jump(30)
    assert await current_id(source) == "key 1"
    assert issuer.begun == 3
    autojump_clock.jump(9 * 60 + 15)
    with pytest.raises(type(failure)):
        await source.current()
    issuer.failure = None
    assert await current_id(source) == "key 2"


async def test_issuer_that_hangs_costs_a_caller_two_seconds_while_the_old_ones_are_valid(
    autojump_clock: trio.testing.MockClock,
) -> None:
    told: list[StoreError] = []
    issuer = NumberedKeys()
    source = RefreshingSource(
        issuer, now_ms=now_ms, on_failed_renewal=lambda error, _: told.append(error)
    )
    await source.current()
    autojump_clock.jump(50 * 60)
    issuer.delay_s = 1_000
    before = trio.current_time()
    assert await current_id(source) == "key 1"
    assert trio.current_time() - before == pytest.approx(2)
    assert [str(error) for error in told] == ["no answer within 2 s: numbered keys"]


async def test_failed_renewal_that_nobody_wants_to_hear_of_is_not_raised(
    autojump_clock: trio.testing.MockClock,
) -> None:
    issuer = NumberedKeys()
    source = RefreshingSource(issuer, now_ms=now_ms)
    await source.current()
    autojump_clock.jump(50 * 60)
    issuer.failure = NotApplied("no answer")
    assert await current_id(source) == "key 1"


async def test_credentials_that_end_during_their_renewal_are_not_given_out(
    autojump_clock: trio.testing.MockClock,
) -> None:
    issuer = NumberedKeys()
    source = RefreshingSource(issuer, now_ms=now_ms)
    await source.current()
    autojump_clock.jump(60 * 60 - 16)
    issuer.delay_s = 1.5
    issuer.failure = NotApplied("no answer")
    with pytest.raises(NotApplied, match="no answer"):
        await source.current()


@pytest.mark.parametrize("first_fetch", [True, False], ids=["first fetch", "renewal"])
async def test_cancelled_caller_hands_the_fetch_on(
    autojump_clock: trio.testing.MockClock, first_fetch: bool
) -> None:
    issuer = NumberedKeys()
    source = RefreshingSource(issuer, now_ms=now_ms)
    if not first_fetch:
        await source.current()
        autojump_clock.jump(2 * 60 * 60)
    issuer.delay_s = 1
    given: list[str] = []

    async def ask() -> None:
        given.append(await current_id(source))

    scope = trio.CancelScope()

    async def ask_and_be_cancelled() -> None:
        with scope:
            await source.current()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_and_be_cancelled)
        await wait_all_tasks_blocked()
        for _ in range(3):
            nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        scope.cancel()
    assert scope.cancelled_caught
    assert len(set(given)) == 1
    assert len(given) == 3
    assert issuer.begun == (2 if first_fetch else 3)


async def test_refused_credentials_are_fetched_anew_and_others_are_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    issuer = NumberedKeys(None)
    source = RefreshingSource(issuer, now_ms=now_ms)
    first = await source.current()
    source.forget(HmacKey("another", "hidden"))
    assert await source.current() is first
    source.forget(first)
    assert await current_id(source) == "key 2"
    source.forget(first)
    assert await current_id(source) == "key 2"


async def test_credentials_that_had_ended_before_they_came_name_the_clock(
    autojump_clock: trio.testing.MockClock,
) -> None:
    source = RefreshingSource(NumberedKeys(-1), now_ms=now_ms)
    with pytest.raises(NotApplied, match=r"check the clock of this machine.*numbered keys"):
        await source.current()


async def test_credentials_about_to_end_are_given_out_when_they_are_new(
    autojump_clock: trio.testing.MockClock,
) -> None:
    source = RefreshingSource(NumberedKeys(5_000), now_ms=now_ms)
    assert await current_id(source) == "key 1"
    assert await current_id(source) == "key 2"
