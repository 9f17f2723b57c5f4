"""Tests the source that always gives the same."""

from storage_adapters.credentials.source import CredentialSource, FixedSource
from storage_adapters.signing import AwsKeys


async def test_fixed_source_gives_its_credentials_even_after_a_refusal() -> None:
    keys = AwsKeys("AKIDEXAMPLE", "hidden")
    source: CredentialSource = FixedSource(keys, description="settings")
    assert await source.current() is keys
    source.forget(keys)
    assert await source.current() is keys
    assert source.description == "settings"
