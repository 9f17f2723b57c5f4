"""Keeps credentials and renews them before they end, one fetch at a time.

Three times in the life of credentials that last an hour, counted back from their end:

    10 min   renewal is due. One caller tries it, for two seconds at most; the others go on with
             what there is. Where it fails they are kept, and it is tried again 30 s later.
     5 min   the same, for five seconds at most: a slow issuer must be waited for in the end.
    15 s     they are not given out any more, since a request takes its time. Callers wait for a
             renewal, together: one fetches, and its result, or its error, is that of all.
    0        the store would refuse them.

Credentials for less than 20 minutes are renewed in the middle of their life. Those without an end
are kept until a store refuses them.

There is no task in the background: a fetch runs in the task of the caller that began it. When that
one is cancelled, the next one in the queue begins anew.
"""

from collections.abc import Callable

import trio

from storage_adapters.contract import NotApplied, StoreError
from storage_adapters.credentials.source import Issuer
from storage_adapters.signing import AwsKeys, BearerToken, Credentials

__all__ = ["FailedRenewal", "RefreshingSource"]

_RENEWAL_DUE_MS = 600_000
_UNUSABLE_MS = 15_000
_PATIENCE_S = 2.0
_LATE_PATIENCE_S = 5.0
_RETRY_S = 30.0


FailedRenewal = Callable[[StoreError, int], None]
"""Is told why credentials were not renewed, and when those there are end, ms since the epoch."""


class RefreshingSource:
    """A `CredentialSource` over an `Issuer`."""

    def __init__(
        self,
        issuer: Issuer,
        *,
        now_ms: Callable[[], int],
        on_failed_renewal: FailedRenewal | None = None,
    ) -> None:
        """Fetch nothing yet.

        Args:
            now_ms: the wall clock, ms since the epoch, best corrected by the store's `Date`.
            on_failed_renewal: is told of a renewal ahead of time that failed, to log it. What fails
                once there are no valid ones left is raised instead.
        """
        self._issuer = issuer
        self._now_ms = now_ms
        self._on_failed_renewal = on_failed_renewal
        self._turn = trio.Lock()
        self._current: Credentials | None = None
        self._due_at_ms: int | None = None
        self._no_retry_before_s = 0.0
        self._fetches_ended = 0
        self._failure: StoreError | None = None

    @property
    def description(self) -> str:
        """Names the place that the credentials come from."""
        return self._issuer.name

    async def current(self) -> Credentials:
        """Give valid credentials; see `CredentialSource.current`."""
        await trio.lowlevel.checkpoint()
        kept = self._usable()
        if kept is None:
            return await self._renew_and_wait()
        if self._is_renewal_due():
            await self._try_renewal()
            # The renewed ones; or the same, unless they have come to their end meanwhile.
            kept = self._usable() or await self._renew_and_wait()
        return kept

    def forget(self, refused: Credentials) -> None:
        """Drop `refused`, unless they have been renewed meanwhile."""
        if refused == self._current:
            self._current = None

    def _usable(self) -> Credentials | None:
        ends_at_ms = _end_ms(self._current)
        if ends_at_ms is not None and self._now_ms() >= ends_at_ms - _UNUSABLE_MS:
            return None
        return self._current

    def _is_renewal_due(self) -> bool:
        return (
            self._due_at_ms is not None
            and self._now_ms() >= self._due_at_ms
            and trio.current_time() >= self._no_retry_before_s
            and not self._turn.locked()
        )

    async def _try_renewal(self) -> None:
        async with self._turn:
            failure: StoreError | None = None
            patience_s = self._patience_s()
            with trio.move_on_after(patience_s) as patience:
                try:
                    await self._fetch()
                except StoreError as error:
                    failure = error
            if patience.cancelled_caught:
                failure = NotApplied(f"no answer within {patience_s:.0f} s: {self._issuer.name}")
            if failure is None:
                return
            self._no_retry_before_s = trio.current_time() + _RETRY_S
            if self._on_failed_renewal is not None:
                self._on_failed_renewal(failure, _end_ms(self._current) or 0)

    def _patience_s(self) -> float:
        assert self._due_at_ms is not None
        ends_at_ms = _end_ms(self._current) or 0
        is_late = self._now_ms() >= (self._due_at_ms + ends_at_ms) // 2
        return _LATE_PATIENCE_S if is_late else _PATIENCE_S

    async def _renew_and_wait(self) -> Credentials:
        ended = self._fetches_ended
        async with self._turn:
            if self._fetches_ended == ended:
                return await self._fetch()
            # Another caller's fetch ended while this one waited.
            if self._failure is not None:
                raise type(self._failure)(*self._failure.args) from self._failure
            return self._usable() or await self._fetch()

    async def _fetch(self) -> Credentials:
        """Fetch and keep. A fetch that is cancelled has not ended: the next one repeats it."""
        try:
            fetched = self._checked(await self._issuer.fetch())
        except StoreError as error:
            self._failure = error
            self._fetches_ended += 1
            raise
        self._failure = None
        self._fetches_ended += 1
        self._current = fetched
        ends_at_ms = _end_ms(fetched)
        if ends_at_ms is None:
            self._due_at_ms = None
        else:
            life_ms = ends_at_ms - self._now_ms()
            self._due_at_ms = ends_at_ms - min(_RENEWAL_DUE_MS, life_ms // 2)
        return fetched

    def _checked(self, fetched: Credentials | None) -> Credentials:
        assert fetched is not None, "the last of a chain gives credentials or an error"
        ends_at_ms = _end_ms(fetched)
        if ends_at_ms is not None and ends_at_ms <= self._now_ms():
            raise NotApplied(
                "the credentials had ended before they came; check the clock of this machine, "
                f"then their issuer: {self._issuer.name}"
            )
        return fetched


def _end_ms(credentials: Credentials | None) -> int | None:
    return credentials.expires_at_ms if isinstance(credentials, AwsKeys | BearerToken) else None
