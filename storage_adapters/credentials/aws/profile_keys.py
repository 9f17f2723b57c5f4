"""Keys that a profile has, or names the way to: another profile, a role, a token, a program.

botocore asks twice for the profile: for its role before the web identity of the environment, for
the rest after it. So there are two issuers here, over one way to follow a profile.
"""

from collections.abc import Mapping
from pathlib import Path

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.aws.process import keys_of_process
from storage_adapters.credentials.aws.profiles import Profile, Profiles, load_profiles
from storage_adapters.credentials.aws.sts import TokenService
from storage_adapters.credentials.aws.web_identity import assume_by_token_file
from storage_adapters.credentials.files import expanded
from storage_adapters.credentials.source import Issuer
from storage_adapters.signing import AwsKeys

__all__ = ["ProfileKeys", "ProfileReader", "ProfileRole"]

_SIGNING_IN = ("sso_session", "sso_account_id", "sso_start_url", "login_session")
_OF_ROLE = {
    "external_id": "ExternalId",
    "role_session_name": "RoleSessionName",
    "duration_seconds": "DurationSeconds",
}


class ProfileReader:
    """Follows what a profile says, from files that are read anew each time."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        home: Path,
        sts: TokenService,
        named_sources: Mapping[str, Issuer],
    ) -> None:
        """Read nothing yet.

        Args:
            named_sources: what `credential_source` may name.
        """
        self._environment = environment
        self._home = home
        self._sts = sts
        self._named_sources = named_sources

    async def load(self) -> Profiles:
        """Read the files; see `load_profiles`."""
        return await load_profiles(self._environment, home=self._home)

    async def keys_of_role(self, profiles: Profiles, profile: Profile) -> AwsKeys:
        """Assume the role that `profile` names, and those that it needs for that.

        Raises, Cancellation: as `Issuer.fetch`.
        """
        # From the role that is wanted to the profile whose own keys begin.
        roles = [profile]
        source = self._source_of(profiles, profile)
        while source is not None and has_role(source) and not _has_own_keys(source):
            if source in roles:
                names = " -> ".join(role.name for role in [*roles, source])
                raise StoreMisconfigured(f"source_profile leads in a circle: {names}; correct it")
            roles.append(source)
            source = self._source_of(profiles, source)
        if source is None:
            keys = await self._keys_of_named_source(roles[-1])
        else:
            keys = await self.own_keys(source)
            if keys is None:
                raise StoreMisconfigured(
                    f"the profile {source.name!r}, the source_profile of {roles[-1].name!r}, "
                    "has no credentials; correct it"
                )
        for role in reversed(roles):
            parameters = {
                name: role.settings[key] for key, name in _OF_ROLE.items() if role.settings.get(key)
            }
            parameters["RoleArn"] = role.settings["role_arn"]
            keys = await self._sts.assume_role(
                parameters, keys=keys, region=role.region or profile.region
            )
        return keys

    async def own_keys(self, profile: Profile) -> AwsKeys | None:
        """Get what `profile` has without a role of another one; None where it has nothing.

        Raises, Cancellation: as `Issuer.fetch`.
        """
        settings = profile.settings
        token_file = settings.get("web_identity_token_file")
        if token_file and settings.get("role_arn"):
            return await assume_by_token_file(
                self._sts,
                expanded(token_file, home=self._home),
                role=settings["role_arn"],
                session=settings.get("role_session_name"),
                region=profile.region,
            )
        if keys := _written_keys(profile, profile.shared):
            return keys
        if command := settings.get("credential_process"):
            return await keys_of_process(
                command,
                environment=self._environment,
                issuer=f"credential_process of the profile {profile.name!r}",
            )
        if keys := _written_keys(profile, settings):
            return keys
        if any(name in settings for name in _SIGNING_IN):
            raise StoreMisconfigured(
                f"the profile {profile.name!r} signs in with a browser (SSO), which is not built "
                "in; let a profile of its own get the keys, and choose it by AWS_PROFILE: "
                "credential_process = aws configure export-credentials "
                f"--profile {profile.name} --format process"
            )
        return None

    def _source_of(self, profiles: Profiles, profile: Profile) -> Profile | None:
        settings = profile.settings
        if settings.get("mfa_serial"):
            raise StoreMisconfigured(
                f"the profile {profile.name!r} asks for a code (mfa_serial), and nobody is there "
                "to type it; let a program get the keys: credential_process"
            )
        named, name = settings.get("credential_source"), settings.get("source_profile")
        if (named is None) == (name is None):
            raise StoreMisconfigured(
                f"the profile {profile.name!r} must have source_profile or credential_source "
                "beside its role_arn, and not both; correct it"
            )
        if name is None:
            return None
        source = profiles.by_name.get(name)
        if source is None:
            raise StoreMisconfigured(
                f"the source_profile of {profile.name!r} is in neither file: {name!r}; correct it"
            )
        return source

    async def _keys_of_named_source(self, profile: Profile) -> AwsKeys:
        name = profile.settings["credential_source"]
        issuer = self._named_sources.get(name)
        if issuer is None:
            known = ", ".join(self._named_sources)
            raise StoreMisconfigured(
                f"the credential_source of {profile.name!r} must be one of {known}: {name!r}"
            )
        keys = await issuer.fetch()
        if not isinstance(keys, AwsKeys):
            raise StoreMisconfigured(
                f"the credential_source of {profile.name!r} has no keys here: {name}"
            )
        return keys


class ProfileRole:
    """The `Issuer` of the role of the chosen profile."""

    name = "the role of an AWS profile"

    def __init__(self, reader: ProfileReader) -> None:
        self._reader = reader

    async def fetch(self) -> AwsKeys | None:
        """Assume it; None where the profile has none. See `Issuer.fetch`."""
        profiles = await self._reader.load()
        profile = profiles.chosen
        if profile is None or not has_role(profile):
            return None
        return await self._reader.keys_of_role(profiles, profile)


class ProfileKeys:
    """The `Issuer` of what else the chosen profile has."""

    name = "an AWS profile"

    def __init__(self, reader: ProfileReader) -> None:
        self._reader = reader

    async def fetch(self) -> AwsKeys | None:
        """Get them; None where there is no profile, or nothing in it. See `Issuer.fetch`."""
        profile = (await self._reader.load()).chosen
        return None if profile is None else await self._reader.own_keys(profile)


def has_role(profile: Profile) -> bool:
    """Tell whether a profile names a role that keys of another place may assume."""
    return "role_arn" in profile.settings and "web_identity_token_file" not in profile.settings


def _has_own_keys(profile: Profile) -> bool:
    return "aws_access_key_id" in profile.settings


def _written_keys(profile: Profile, values: Mapping[str, str]) -> AwsKeys | None:
    key_id, secret = values.get("aws_access_key_id"), values.get("aws_secret_access_key")
    if not key_id and not secret:
        return None
    if not key_id or not secret:
        missing = "aws_secret_access_key" if key_id else "aws_access_key_id"
        raise StoreMisconfigured(f"the profile {profile.name!r} has no {missing}; add it")
    return AwsKeys(key_id, secret, values.get("aws_session_token") or None)
