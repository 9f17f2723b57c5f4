"""Every module has its test file, and every test file has its module."""

from pathlib import PurePosixPath

from tests.house.tree import PACKAGES, files, place

KINDS = ("simulation", "end_to_end", "browser", "house", "emulators", "mutants")
"""Folders of tests that are about the whole, not about one module."""
WITHOUT_MODULE = {"tests/core/test_budgets.py", "tests/broker/test_counts.py"}
"""What is counted is a promise of several modules together."""


def mirrored(module: PurePosixPath) -> PurePosixPath:
    """Where the tests of a module lie: osqueue/core/job.py in tests/core/test_job.py."""
    folder = module.relative_to("osqueue") if module.is_relative_to("osqueue") else module
    return PurePosixPath("tests", folder.parent, f"test_{module.name}")


def test_every_module_has_its_test_file_and_the_reverse() -> None:
    modules = [PurePosixPath(place(path)) for path in files(".py", *PACKAGES)]
    wanted = {
        mirrored(module): module
        for module in modules
        if module.name not in ("__init__.py", "__main__.py")
    }
    tests = {PurePosixPath(place(path)) for path in files(".py", "tests")}
    complaints = [
        f"{module} has no tests: {test}" for test, module in wanted.items() if test not in tests
    ]
    for test in tests - wanted.keys():
        if not test.name.startswith("test_") or test.parts[1] in KINDS:
            continue
        # A second file about one aspect of a module carries the module's name first.
        aspects = (f"{one.stem}_" for one in wanted if one.parent == test.parent)
        if str(test) not in WITHOUT_MODULE and not test.stem.startswith(tuple(aspects)):
            complaints.append(f"{test} tests no module: name it test_<module>.py")
    assert not complaints, "\n".join(sorted(complaints))
