"""A worker as a process of its own: found by its name, ended by signals."""

__all__: list[str] = []
