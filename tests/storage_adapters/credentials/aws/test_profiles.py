"""Tests the reading of AWS's two files; botocore reads the same ones beside us."""

from pathlib import Path

import botocore.session
import pytest

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.aws.profiles import Profiles, load_profiles, region_of_profile
from tests.storage_adapters.credentials.issuers import assert_hides

SECRET = "kept-from-everybody"
CONFIG = """
[default]
region = eu-central-1
s3 =
    addressing_style = path
    max_concurrent_requests = 5

# A comment.
[profile build box]
Region=eu-west-1
[profile "quoted name"]
role_arn = arn:role
source_profile = default
[profile both]
aws_access_key_id = of the config
region = us-west-2

[preview]
cloudfront = true
[profile]
a = b
[profile one two three]
a = b
[profile unbalanced"]
a = b
[services local]
s3 =
    endpoint_url = http://localhost
"""
SHARED = """
[default]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = a%b=c/+d
[both]
aws_access_key_id = of the credentials
"""


def write(home: Path, *, config: str | None = None, shared: str | None = None) -> None:
    (home / ".aws").mkdir()
    for name, text in (("config", config), ("credentials", shared)):
        if text is not None:
            (home / ".aws" / name).write_text(text)


async def load(home: Path, **variables: str) -> Profiles:
    return await load_profiles(variables, home=home)


async def test_both_files_are_read_as_botocore_reads_them(tmp_path: Path) -> None:
    write(tmp_path, config=CONFIG, shared=SHARED)
    ours = (await load(tmp_path)).by_name
    session = botocore.session.Session()
    session.set_config_variable("config_file", str(tmp_path / ".aws/config"))
    session.set_config_variable("credentials_file", str(tmp_path / ".aws/credentials"))
    theirs = session.full_config["profiles"]
    assert ours.keys() == theirs.keys()
    for name, profile in ours.items():
        plain = {key: value for key, value in theirs[name].items() if isinstance(value, str)}
        assert {key: profile.settings[key] for key in plain} == plain
    assert ours["default"].settings["aws_secret_access_key"] == "a%b=c/+d"
    assert ours["both"].settings["aws_access_key_id"] == "of the credentials"
    assert ours["both"].region == "us-west-2"
    assert ours["quoted name"].shared == {}


async def test_variables_name_files_and_profile(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("[profile a]\nregion = r\n[profile b]\n")
    (tmp_path / "s").write_text("[a]\naws_access_key_id = k\n")
    files = {"AWS_CONFIG_FILE": "~/c", "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "s")}
    profiles = await load(tmp_path, **files, AWS_PROFILE="a", AWS_DEFAULT_PROFILE="b")
    assert profiles.chosen is not None
    assert profiles.chosen.settings == {"region": "r", "aws_access_key_id": "k"}
    assert (await load(tmp_path, **files, AWS_DEFAULT_PROFILE="b")).chosen_name == "b"


async def test_without_files_there_is_no_default_profile(tmp_path: Path) -> None:
    assert (await load(tmp_path)).chosen is None


async def test_profile_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    write(tmp_path, config=CONFIG)
    profiles = await load(tmp_path, AWS_PROFILE="build-box")
    with pytest.raises(StoreMisconfigured, match="in neither file: 'build-box'"):
        _ = profiles.chosen


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"aws_secret_access_key = {SECRET}\n", r" \(line 1\)"),
        (f"[default]\n{SECRET}\n", ""),
        (f"[default]\na = b\na = {SECRET}\n", r" \(line 3\)"),
        ("[default]\n[default]\n", r" \(line 2\)"),
    ],
    ids=["no section", "no value", "twice", "section twice"],
)
async def test_file_that_cannot_be_understood_names_its_line_and_no_secret(
    tmp_path: Path, text: str, line: str
) -> None:
    write(tmp_path, shared=text)
    with pytest.raises(StoreMisconfigured, match=rf"cannot be understood{line}: ") as caught:
        await load(tmp_path)
    assert str(tmp_path / ".aws/credentials") in str(caught.value)
    assert_hides(caught.value, SECRET)


async def test_no_repr_shows_what_is_in_a_profile(tmp_path: Path) -> None:
    write(tmp_path, shared=f"[default]\naws_secret_access_key = {SECRET}\n")
    profiles = await load(tmp_path)
    assert SECRET not in repr(profiles) + repr(profiles.chosen)


async def test_region_is_that_of_the_chosen_profile(tmp_path: Path) -> None:
    write(tmp_path, config=CONFIG, shared=None)

    async def region(**variables: str) -> str | None:
        return await region_of_profile(variables, home=tmp_path)

    assert await region() == "eu-central-1"
    assert await region(AWS_PROFILE="both") == "us-west-2"
    assert await region(AWS_DEFAULT_PROFILE="both") == "us-west-2"
    # Keys may come from elsewhere: these are not told here.
    assert await region(AWS_PROFILE="quoted name") is None
    assert await region(AWS_PROFILE="missing") is None
    (tmp_path / ".aws/config").write_text("no section")
    assert await region() is None
