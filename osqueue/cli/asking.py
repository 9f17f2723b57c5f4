"""One conversation with the broker, for the commands that ask it something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from osqueue.cli.endings import CommandError
from osqueue.client import Client
from storage_adapters.contract import StoreMisconfigured

__all__ = ["ask"]

AnswerT = TypeVar("AnswerT")


def ask(
    question: Callable[[Client], Awaitable[AnswerT]], *, url: str | None, timeout_s: float
) -> AnswerT:
    """Put a question to the leading broker, and return its answer.

    Args:
        question: what to call on the client.
        url: of the broker, of several, or of the store; None: as the environment says.
        timeout_s: how long each call is repeated, to 300 seconds.

    Raises:
        CommandError: the URL names no broker and no store.
        QueueError: the broker refused, or none could be reached.
    """
    try:
        client = Client(url or None, timeout_s=timeout_s)
    except (ValueError, StoreMisconfigured) as error:
        raise CommandError(str(error), advice="correct --url or BROKER_URL") from error

    async def talk() -> AnswerT:
        async with client:
            return await question(client)

    return trio.run(talk)
