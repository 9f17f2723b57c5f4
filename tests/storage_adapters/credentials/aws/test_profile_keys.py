"""Tests how a profile is followed to its keys, with a server that stands for STS."""

import shlex
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.aws.environment import EnvironmentKeys
from storage_adapters.credentials.aws.profile_keys import ProfileKeys, ProfileReader, ProfileRole
from storage_adapters.credentials.aws.sts import TokenService
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.signing import AwsKeys
from tests.storage_adapters.credentials.aws.test_sts import GIVEN, keys_answer
from tests.storage_adapters.credentials.issuers import NOW_MS, IssuerServer, Said, assert_hides

SECRET = "kept-from-everybody"
OWN = f"aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET}\n"


class Home:
    """A home directory with AWS's files, and the issuers that look into it."""

    def __init__(self, path: Path, server: IssuerServer, exchange: Exchange) -> None:
        self.path = path
        self.server = server
        self.variables = {"AWS_ENDPOINT_URL_STS": server.url}
        sts = TokenService(self.variables, exchange, now_ms=lambda: NOW_MS)
        named = {"Environment": EnvironmentKeys(self.variables)}
        reader = ProfileReader(self.variables, home=path, sts=sts, named_sources=named)
        self.role = ProfileRole(reader)
        self.keys = ProfileKeys(reader)
        (path / ".aws").mkdir()
        server.says(Said(keys_answer("AssumeRole")))

    def write(self, config: str = "", shared: str = "") -> None:
        (self.path / ".aws/config").write_text(config)
        (self.path / ".aws/credentials").write_text(shared)

    def forms(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(asked.body.decode())) for asked in self.server.asked]

    def signers(self) -> list[str]:
        """The key ids that signed the questions to STS."""
        heads = [asked.headers.get("authorization", "=/") for asked in self.server.asked]
        return [head.partition("Credential=")[2].partition("/")[0] for head in heads]


@pytest.fixture
def home(tmp_path: Path, server: IssuerServer, exchange: Exchange) -> Home:
    return Home(tmp_path, server, exchange)


async def test_without_a_profile_there_is_nothing(home: Home) -> None:
    assert await home.role.fetch() is None
    assert await home.keys.fetch() is None
    home.write(config="[default]\nregion = eu-west-1\n")
    assert await home.role.fetch() is None
    assert await home.keys.fetch() is None


async def test_keys_are_those_that_are_written_now(home: Home) -> None:
    home.write(shared=f"[default]\n{OWN}")
    assert await home.keys.fetch() == AwsKeys("AKIDEXAMPLE", SECRET)
    home.write(shared=f"[default]\n{OWN}aws_session_token = token\n")
    assert await home.keys.fetch() == AwsKeys("AKIDEXAMPLE", SECRET, "token")
    assert await home.role.fetch() is None


async def test_keys_of_the_credentials_file_come_before_a_program_and_that_before_the_config(
    home: Home,
) -> None:
    printed = '{"Version": 1, "AccessKeyId": "PRINTED", "SecretAccessKey": "s"}'
    program = f"credential_process = {shlex.join(['/bin/echo', printed])}\n"
    home.write(config=f"[default]\n{program}", shared=f"[default]\n{OWN}")
    assert await home.keys.fetch() == AwsKeys("AKIDEXAMPLE", SECRET)
    home.write(config=f"[default]\n{program}{OWN}")
    assert await home.keys.fetch() == AwsKeys("PRINTED", "s")
    home.write(config=f"[default]\n{OWN}")
    assert await home.keys.fetch() == AwsKeys("AKIDEXAMPLE", SECRET)


async def test_role_is_assumed_by_the_keys_of_its_source(home: Home) -> None:
    home.write(
        config="[profile queue]\nrole_arn = arn:queue\nsource_profile = own\n"
        "external_id = ours\nduration_seconds = 900\nrole_session_name = mine\n"
        "region = eu-west-1\n",
        shared=f"[own]\n{OWN}",
    )
    home.variables["AWS_PROFILE"] = "queue"
    assert await home.role.fetch() == GIVEN
    assert home.signers() == ["AKIDEXAMPLE"]
    (form,) = home.forms()
    expected = {"RoleArn": "arn:queue", "ExternalId": "ours", "DurationSeconds": "900",
                "RoleSessionName": "mine", "Action": "AssumeRole"}  # fmt: skip
    assert form.items() >= expected.items()
    assert "/eu-west-1/sts/" in home.server.asked[0].headers["authorization"]


async def test_roles_are_assumed_one_by_the_other(home: Home) -> None:
    home.write(
        config="[default]\nrole_arn = arn:last\nsource_profile = middle\n"
        "[profile middle]\nrole_arn = arn:first\nsource_profile = own\n",
        shared=f"[own]\n{OWN}",
    )
    assert await home.role.fetch() == GIVEN
    assert [form["RoleArn"] for form in home.forms()] == ["arn:first", "arn:last"]
    assert home.signers() == ["AKIDEXAMPLE", "ASIAEXAMPLE"]


async def test_profile_may_be_its_own_source(home: Home) -> None:
    home.write(config=f"[default]\nrole_arn = arn:queue\nsource_profile = default\n{OWN}")
    assert await home.role.fetch() == GIVEN
    assert home.signers() == ["AKIDEXAMPLE"]


async def test_role_is_assumed_by_keys_of_the_environment(home: Home) -> None:
    home.write(config="[default]\nrole_arn = arn:queue\ncredential_source = Environment\n")
    with pytest.raises(StoreMisconfigured, match="has no keys here: Environment"):
        await home.role.fetch()
    home.variables |= {"AWS_ACCESS_KEY_ID": "AKIDOTHER", "AWS_SECRET_ACCESS_KEY": SECRET}
    assert await home.role.fetch() == GIVEN
    assert home.signers() == ["AKIDOTHER"]


async def test_token_of_a_profile_is_exchanged(home: Home) -> None:
    (home.path / "token").write_text("identity")
    home.write(
        config="[default]\nrole_arn = arn:queue\nweb_identity_token_file = ~/token\n"
        "role_session_name = mine\n"
    )
    assert await home.role.fetch() is None
    assert await home.keys.fetch() == GIVEN
    (form,) = home.forms()
    expected = {"WebIdentityToken": "identity", "RoleArn": "arn:queue", "RoleSessionName": "mine"}
    assert form.items() >= expected.items()


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ("role_arn = r\n", "must have source_profile or credential_source"),
        ("role_arn = r\nsource_profile = own\ncredential_source = Environment\n", "and not both"),
        ("role_arn = r\nsource_profile = gone\n", "in neither file: 'gone'"),
        ("role_arn = r\nsource_profile = empty\n", "the profile 'empty'.*has no credentials"),
        ("role_arn = r\ncredential_source = Nowhere\n", "must be one of Environment: 'Nowhere'"),
        ("role_arn = r\nsource_profile = own\nmfa_serial = arn\n", r"a code \(mfa_serial\)"),
        ("role_arn = r\nsource_profile = default\n", "in a circle: default -> default"),
        ("role_arn = r\nsource_profile = a\n", "in a circle: default -> a -> b -> a"),
        (f"aws_secret_access_key = {SECRET}\n", "has no aws_access_key_id"),
        (f"aws_access_key_id = AKID\n#{SECRET}\n", "has no aws_secret_access_key"),
        ("sso_session = ours\nsso_account_id = 1\n",
         "aws configure export-credentials --profile default --format process"),
        ("login_session = arn\n", "credential_process"),
    ],
    ids=["no source", "two sources", "source gone", "source empty", "unknown source", "mfa",
         "own circle", "circle", "no id", "no secret", "sso", "login"],
)  # fmt: skip
async def test_profile_that_leads_nowhere_says_what_to_correct(
    home: Home, config: str, text: str
) -> None:
    home.write(
        config=f"[default]\n{config}"
        "[profile a]\nrole_arn = r\nsource_profile = b\n"
        "[profile b]\nrole_arn = r\nsource_profile = a\n[profile empty]\nregion = r\n"
        f"[profile own]\n{OWN}"
    )

    async def follow() -> None:
        await home.role.fetch()
        await home.keys.fetch()

    with pytest.raises(StoreMisconfigured, match=text) as caught:
        await follow()
    assert_hides(caught.value, SECRET)
    assert home.server.asked == []
