"""Keys of a role for whoever holds an identity token: service accounts on EKS, CI systems."""

from collections.abc import Mapping
from pathlib import Path

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.aws.sts import TokenService
from storage_adapters.credentials.files import read_text
from storage_adapters.signing import AwsKeys

__all__ = ["WebIdentityKeys", "assume_by_token_file"]


class WebIdentityKeys:
    """The `Issuer` of AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN."""

    name = "web identity"

    def __init__(self, environment: Mapping[str, str], sts: TokenService) -> None:
        self._environment = environment
        self._sts = sts

    async def fetch(self) -> AwsKeys | None:
        """Exchange the token of now; None where the variables name none. See `Issuer.fetch`."""
        path = self._environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        if not path:
            return None
        role = self._environment.get("AWS_ROLE_ARN")
        if not role:
            raise StoreMisconfigured(
                "AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not; name the role as well"
            )
        return await assume_by_token_file(self._sts, Path(path), role=role)


async def assume_by_token_file(
    sts: TokenService, path: Path, *, role: str, session: str | None = None,
    region: str | None = None,
) -> AwsKeys:  # fmt: skip
    """Exchange the token that is in a file now for keys of a role.

    The file is read each time: whoever puts it there replaces it before it ends.

    Args:
        session, region: of a profile that names them.

    Raises, Cancellation: as `Issuer.fetch`.
    """
    token = await read_text(path, what="the web identity token")
    if token is None or not token.strip():
        raise StoreMisconfigured(
            f"there is no web identity token in the file that is named for it; correct it: {path}"
        )
    parameters = {"RoleArn": role} | ({"RoleSessionName": session} if session else {})
    return await sts.assume_role_with_web_identity(parameters, token=token.strip(), region=region)
