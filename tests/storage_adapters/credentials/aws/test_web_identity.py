"""Tests the keys for an identity token in a file."""

from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.aws.sts import TokenService
from storage_adapters.credentials.aws.web_identity import WebIdentityKeys, assume_by_token_file
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.signing import AwsKeys
from tests.storage_adapters.credentials.aws.test_sts import GIVEN, keys_answer
from tests.storage_adapters.credentials.issuers import NOW_MS, IssuerServer, Said


@pytest.fixture
def sts(server: IssuerServer, exchange: Exchange) -> TokenService:
    server.says(Said(keys_answer("AssumeRoleWithWebIdentity")))
    return TokenService({"AWS_ENDPOINT_URL_STS": server.url}, exchange, now_ms=lambda: NOW_MS)


def forms(server: IssuerServer) -> list[dict[str, str]]:
    return [dict(parse_qsl(asked.body.decode())) for asked in server.asked]


async def test_token_is_read_anew_for_each_exchange(
    sts: TokenService, server: IssuerServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    variables = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": "arn:role"}
    source = WebIdentityKeys(variables, sts)
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        assert await source.fetch() == GIVEN
    assert [form["WebIdentityToken"] for form in forms(server)] == ["first", "second"]
    assert {form["RoleArn"] for form in forms(server)} == {"arn:role"}


async def test_without_its_variable_there_is_no_web_identity(sts: TokenService) -> None:
    assert await WebIdentityKeys({"AWS_ROLE_ARN": "arn:role"}, sts).fetch() is None


async def test_token_without_a_role_names_the_variable(sts: TokenService) -> None:
    with pytest.raises(StoreMisconfigured, match="AWS_ROLE_ARN is not"):
        await WebIdentityKeys({"AWS_WEB_IDENTITY_TOKEN_FILE": "/a"}, sts).fetch()


@pytest.mark.parametrize("content", [None, " \n"], ids=["missing", "empty"])
async def test_file_without_a_token_names_itself(
    sts: TokenService, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    variables = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": "arn:role"}
    with pytest.raises(StoreMisconfigured, match=f"no web identity token.*{file}"):
        await WebIdentityKeys(variables, sts).fetch()


async def test_session_of_a_profile_is_asked_for(
    sts: TokenService, server: IssuerServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("token")
    keys = await assume_by_token_file(sts, file, role="arn:role", session="mine")
    assert isinstance(keys, AwsKeys)
    assert forms(server)[0]["RoleSessionName"] == "mine"
