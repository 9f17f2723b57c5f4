"""The list of faults is sound: each can be planted, and the documents have it."""

from collections import Counter

import pytest

from tests.house.tree import ROOT
from tests.mutants.listed import MUTANTS
from tests.mutants.mutant import Mutant, mirror_tests
from tests.mutants.run import IN_SIMULATION_MIN
from tests.mutants.table import as_table

FAULTS_MIN = 60


def test_there_are_enough_of_them_and_most_are_for_the_simulations() -> None:
    assert len(MUTANTS) >= FAULTS_MIN
    assert sum(one.simulation is not None for one in MUTANTS) >= IN_SIMULATION_MIN


def test_names_are_unique() -> None:
    twice = [name for name, count in Counter(one.name for one in MUTANTS).items() if count > 1]
    assert not twice


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_fault_can_be_planted(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    count = text.count(mutant.old)
    assert count == 1, f"its old text is {count} times in {mutant.file}, not once: {mutant.old!r}"
    assert mutant.old != mutant.new
    compile(text.replace(mutant.old, mutant.new), mutant.file, "exec")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_fault_has_somebody_who_must_find_it(mutant: Mutant) -> None:
    assert mirror_tests(mutant.file, ROOT), "its module has no tests"
    assert bool(mutant.because) == bool(mutant.test), "why no simulation can see it, or nothing"
    if mutant.test:
        file, *_, name = mutant.test.split("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), "there is no such test"


def test_documents_have_the_table() -> None:
    text = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
    assert as_table(MUTANTS) in text, 'docs/testing.md: replace it by make mutants ARGS="--table"'
