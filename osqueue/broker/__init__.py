"""Acts on the store: Trio shells around the machines of `osqueue.core`."""

__all__: list[str] = []
