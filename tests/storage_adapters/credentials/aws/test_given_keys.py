"""Tests keys as a JSON object."""

import msgspec
import pytest

from storage_adapters.contract import NotApplied
from storage_adapters.credentials.aws.given_keys import GivenKeys
from storage_adapters.signing import AwsKeys
from tests.storage_adapters.credentials.issuers import NOW_MS, assert_hides

SECRET = "kept-from-everybody"


def given(text: str) -> GivenKeys:
    return msgspec.json.decode(text, type=GivenKeys)


@pytest.mark.parametrize(
    ("rest", "keys"),
    [
        ("", AwsKeys("AKID", SECRET)),
        (', "Token": "t", "Expiration": "2023-11-14T22:13:20Z"',
         AwsKeys("AKID", SECRET, "t", NOW_MS)),
        (', "SessionToken": "t", "RoleArn": "arn"', AwsKeys("AKID", SECRET, "t")),
        (', "SessionToken": null, "Expiration": ""', AwsKeys("AKID", SECRET)),
    ],
    ids=["lasting", "of a service", "of a process", "empty"],
)  # fmt: skip
def test_object_is_keys(rest: str, keys: AwsKeys) -> None:
    text = f'{{"AccessKeyId": "AKID", "SecretAccessKey": "{SECRET}"{rest}}}'
    assert given(text).keys(issuer="the issuer") == keys
    assert SECRET not in repr(given(text))


@pytest.mark.parametrize(
    "text",
    [
        f'{{"AccessKeyId": "", "SecretAccessKey": "{SECRET}"}}',
        '{"AccessKeyId": "AKID", "SecretAccessKey": ""}',
        f'{{"AccessKeyId": "AKID", "SecretAccessKey": "{SECRET}", "Expiration": "{SECRET}"}}',
    ],
    ids=["no id", "no secret", "no time"],
)
def test_object_with_nothing_in_it_is_no_keys(text: str) -> None:
    with pytest.raises(NotApplied, match="unusable answer of the issuer") as caught:
        given(text).keys(issuer="the issuer")
    assert_hides(caught.value, SECRET)
