"""One broker as a process: what it is made of, and its life from start to stop."""

__all__: list[str] = []
