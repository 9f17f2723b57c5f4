"""The profiles in AWS's two files, as botocore reads them.

Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
"""

import configparser
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.files import expanded, read_text

__all__ = ["Profile", "Profiles", "load_profiles", "region_of_profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """What is written under one name; some values are secret."""

    name: str
    """As in AWS_PROFILE."""
    shared: Mapping[str, str] = field(repr=False)
    """What the credentials file says: keys there come before a program."""
    settings: Mapping[str, str] = field(repr=False)
    """What both files say; where they differ, what the credentials file says."""

    @property
    def region(self) -> str | None:
        """The region that it names."""
        return self.settings.get("region")


@dataclass(frozen=True, slots=True)
class Profiles:
    """All profiles of this user."""

    chosen_name: str
    """What AWS_PROFILE says, otherwise "default"."""
    by_name: Mapping[str, Profile] = field(repr=False)

    @property
    def chosen(self) -> Profile | None:
        """The profile to use; None where there is no default one and no other was asked for.

        Raises:
            StoreMisconfigured: AWS_PROFILE names one that neither file has.
        """
        profile = self.by_name.get(self.chosen_name)
        if profile is None and self.chosen_name != "default":
            raise StoreMisconfigured(
                f"AWS_PROFILE names a profile that is in neither file: {self.chosen_name!r}; "
                "correct it, or add the profile to ~/.aws/config"
            )
        return profile


async def load_profiles(environment: Mapping[str, str], *, home: Path) -> Profiles:
    """Read both files; a missing one is as an empty one.

    Raises:
        StoreMisconfigured: one cannot be read or understood.
    """
    config_path = environment.get("AWS_CONFIG_FILE") or "~/.aws/config"
    shared_path = environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    config = {
        name: values
        for section, values in (await _read(expanded(config_path, home=home))).items()
        if (name := _profile_name(section)) is not None
    }
    shared = await _read(expanded(shared_path, home=home))
    chosen = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or "default"
    return Profiles(
        chosen,
        {
            name: Profile(
                name, shared.get(name, {}), {**config.get(name, {}), **shared.get(name, {})}
            )
            for name in {**config, **shared}
        },
    )


async def region_of_profile(environment: Mapping[str, str], *, home: Path) -> str | None:
    """The region of the profile that the environment chooses; None where it names none.

    Keys may come from elsewhere: files that cannot be read, or lack the profile, name no region.
    Whoever needs their keys is told what is wrong with them.
    """
    try:
        profiles = await load_profiles(environment, home=home)
    except StoreMisconfigured:
        return None
    profile = profiles.by_name.get(profiles.chosen_name)
    return None if profile is None else profile.region


def _profile_name(section: str) -> str | None:
    """The name in a section of the config file, as in [profile "build box"]."""
    if section == "default":
        return section
    try:
        words = shlex.split(section)
    except ValueError:
        return None
    return words[1] if len(words) == 2 and words[0] == "profile" else None


async def _read(path: Path) -> dict[str, dict[str, str]]:
    text = await read_text(path, what="a file of AWS profiles")
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text or "")
    except configparser.Error as error:
        # Its text quotes the line, which may hold a key.
        line = getattr(error, "lineno", None)
        at = f" (line {line})" if line else ""
        raise StoreMisconfigured(
            f"a file of AWS profiles cannot be understood{at}: {type(error).__name__}; "
            f"correct it: {path}"
        ) from None
    return {section: dict(parser.items(section)) for section in parser.sections()}
