"""The planted fault runs, and nothing else does: the examination has canaries of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants.examination import Budget, Examined, examine
from tests.mutants.mutant import Mutant, mirror_tests
from tests.mutants.trees import ROOT, copy_tree

pytestmark = pytest.mark.slow

FILE = "osqueue/core/ids.py"
BUDGET = Budget(
    seeds={"world": 1, "shells": 0},
    seeds_unseen={"world": 1, "shells": 0},
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tree")
    copy_tree(path)
    return path


def fault(**changes: str) -> Mutant:
    given = {"name": "a canary", "file": FILE, "old": "", "new": "", "killed_by": "world"}
    return Mutant(**(given | changes))


def test_fault_that_breaks_an_import_is_found_by_both_at_once(tree: Path) -> None:
    broken = fault(old="import re\n", new="import re_of_nobody\n")
    examined = examine(broken, tree, BUDGET)
    assert (examined.found_by, examined.seeds) == ("world", 0)
    assert examined.checker.startswith("import: ")
    assert examined.test
    assert not examined.complaint


def test_fault_that_changes_nothing_survives_and_leaves_the_copy_as_it_was(tree: Path) -> None:
    harmless = fault(old="import re\n", new="import re  # Harmless.\n")
    examined = examine(harmless, tree, BUDGET)
    assert (examined.found_by, examined.test) == (None, "")
    assert examined.complaint == "survives everything"
    assert (tree / FILE).read_bytes() == (ROOT / FILE).read_bytes()


def test_fault_that_spins_is_found_by_time_out(tree: Path) -> None:
    spins = fault(
        file="osqueue/core/group_commit.py",
        old="            if self._step_down is not None:\n                return",
        new="            if True:\n                continue\n                return",
    )
    examined = examine(spins, tree, replace(BUDGET, seed_cpu_s=1.0, tests_s=5.0))
    assert examined.checker == "time-out: one seed took 1 s"
    assert examined.test.startswith("time-out")


def test_fault_in_what_no_simulation_imports_is_played_by_none(tree: Path) -> None:
    unseen = fault(
        file="storage_adapters/memory.py",
        old="        if refusal is None:\n",
        new="        if True:\n",
        killed_by="tests/storage_adapters/test_memory.py",
    )
    examined = examine(unseen, tree, BUDGET)
    assert (examined.found_by, examined.seeds) == (None, 0)
    assert examined.test.startswith("tests/storage_adapters/test_memory.py::")
    assert not examined.complaint


def test_list_that_is_stale_is_told() -> None:
    seen = Examined(
        mutant=fault(killed_by="tests/core/test_ids.py"),
        found_by="world",
        checker="epochs",
        seeds=1,
        test="tests/core/test_ids.py::test",
        seconds=1.0,
    )
    assert "stale" in seen.complaint
    missed = replace(seen, mutant=fault(), found_by=None)
    assert missed.complaint == "survives the simulation that should find it"
    untested = replace(seen, found_by=None, test="")
    assert untested.complaint == "survives everything"


def test_tests_of_a_module_are_its_mirror_and_its_aspects(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "core"
    folder.mkdir(parents=True)
    for name in ("commit", "commit_claims", "commits", "group_commit"):
        (folder / f"test_{name}.py").touch()
    wanted = ["tests/core/test_commit.py", "tests/core/test_commit_claims.py"]
    assert mirror_tests("osqueue/core/commit.py", tmp_path) == wanted
    assert mirror_tests("storage_adapters/file/store.py", ROOT) == [
        "tests/storage_adapters/file/test_store.py"
    ]
