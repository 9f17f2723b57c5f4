"""Lets pytest explain the failed assertions of the contract suite, which is no test module."""

import pytest

__all__: list[str] = []

pytest.register_assert_rewrite("tests.storage_adapters.contract")
