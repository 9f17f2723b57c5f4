"""The list of faults as people read it: the table in docs/testing.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.mutants.mutant import Mutant

__all__ = ["as_table", "list_lines"]


def as_table(mutants: Sequence[Mutant]) -> str:
    """The table, as Markdown."""
    lines = ["| fault | in | who kills it |", "|---|---|---|"]
    for one in mutants:
        if one.simulation:
            killer = f"the {one.simulation}"
        else:
            killer = f"`{one.test.removeprefix('tests/')}`: {one.because}"
        lines.append(f"| {one.name} | `{one.file}` | {killer} |")
    return "\n".join(lines)


def list_lines(mutants: Sequence[Mutant]) -> Iterator[str]:
    """Each fault with what it replaces by what."""
    for one in mutants:
        yield f"{one.name}\n    {one.file}, killed by {one.killed_by}"
        yield from (f"    - {line}" for line in one.old.splitlines())
        yield from (f"    + {line}" for line in one.new.splitlines())
