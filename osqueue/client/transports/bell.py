"""A bell: how tasks that found nothing to do are woken."""

from __future__ import annotations

import trio

__all__ = ["Bell"]


class Bell:
    """Wakes tasks that found nothing to do. Ring after adding work; wait after finding none."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """Wake everybody who waits, and the next one who will."""
        self._event.set()

    async def wait(self) -> None:
        """Wait for a ring."""
        if self._event.is_set():
            self._event = trio.Event()
        await self._event.wait()
