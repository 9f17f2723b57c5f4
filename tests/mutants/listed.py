"""Every fault that `make mutants` plants."""

from tests.mutants.faults import adapters, commits, programs, state, tables

__all__ = ["MUTANTS"]

MUTANTS = (
    *state.MUTANTS,
    *tables.MUTANTS,
    *commits.MUTANTS,
    *programs.MUTANTS,
    *adapters.MUTANTS,
)
