"""Tests keys in environment variables."""

import pytest

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.aws.environment import EnvironmentKeys
from storage_adapters.signing import AwsKeys
from tests.storage_adapters.credentials.issuers import assert_hides

SECRET = "kept-from-everybody"


@pytest.mark.parametrize(
    ("variables", "keys"),
    [
        ({}, None),
        ({"AWS_ACCESS_KEY_ID": " ", "AWS_SESSION_TOKEN": "t"}, None),
        (
            {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": SECRET},
            AwsKeys("AKID", SECRET),
        ),
        (
            {"AWS_ACCESS_KEY_ID": "AKID\n", "AWS_SECRET_ACCESS_KEY": f"{SECRET}\n",
             "AWS_SESSION_TOKEN": "token"},
            AwsKeys("AKID", SECRET, "token"),
        ),
        (
            {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": SECRET,
             "AWS_SESSION_TOKEN": "", "AWS_SECURITY_TOKEN": "older name"},
            AwsKeys("AKID", SECRET, "older name"),
        ),
    ],
    ids=["nothing", "empty", "keys", "session", "older name"],
)  # fmt: skip
async def test_variables_are_keys(variables: dict[str, str], keys: AwsKeys | None) -> None:
    assert await EnvironmentKeys(variables).fetch() == keys


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKID"}, "AWS_SECRET_ACCESS_KEY is not"),
        ({"AWS_SECRET_ACCESS_KEY": SECRET}, "AWS_ACCESS_KEY_ID is not"),
    ],
)
async def test_half_of_a_key_names_the_other_half(variables: dict[str, str], missing: str) -> None:
    with pytest.raises(StoreMisconfigured, match=missing) as caught:
        await EnvironmentKeys(variables).fetch()
    assert_hides(caught.value, SECRET)
