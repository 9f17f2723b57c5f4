"""Tests HMAC keys in environment variables."""

import pytest

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.google.hmac_keys import EnvironmentHmacKey, has_hmac_key
from storage_adapters.signing import HmacKey
from tests.storage_adapters.credentials.issuers import assert_hides

SECRET = "kept-from-everybody"


async def test_variables_are_a_key() -> None:
    assert await EnvironmentHmacKey({}).fetch() is None
    assert not has_hmac_key({"GCS_HMAC_SECRET": " "})
    variables = {"GCS_HMAC_ACCESS_KEY_ID": "GOOG1E", "GCS_HMAC_SECRET": f"{SECRET}\n"}
    assert has_hmac_key(variables)
    assert await EnvironmentHmacKey(variables).fetch() == HmacKey("GOOG1E", SECRET)


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        ({"GCS_HMAC_ACCESS_KEY_ID": "GOOG1E"}, "GCS_HMAC_SECRET is not"),
        ({"GCS_HMAC_SECRET": SECRET}, "GCS_HMAC_ACCESS_KEY_ID is not"),
    ],
)
async def test_half_of_a_key_names_the_other_half(variables: dict[str, str], missing: str) -> None:
    with pytest.raises(StoreMisconfigured, match=missing) as caught:
        await EnvironmentHmacKey(variables).fetch()
    assert_hides(caught.value, SECRET)
    assert has_hmac_key(variables)
