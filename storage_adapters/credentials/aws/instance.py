"""Keys of an EC2 instance's role, from its metadata service, version 2 only.

Version 1 is not asked: it answers whoever can make this machine send a GET.

Source: Amazon EC2 User Guide, "Retrieve security credentials from instance metadata".
"""

from collections.abc import Mapping
from urllib.parse import quote

from storage_adapters.contract import AccessDenied
from storage_adapters.credentials.aws.given_keys import GivenKeys
from storage_adapters.credentials.exchange import (
    Answer,
    Exchange,
    NoAnswer,
    SecretStruct,
    refusal,
)
from storage_adapters.signing import AwsKeys

__all__ = ["InstanceKeys"]

_ENDPOINT = "http://169.254.169.254"
_ENDPOINT_IPV6 = "http://[fd00:ec2::254]"
_ROLES = "/latest/meta-data/iam/security-credentials/"
_TIMEOUT_S = 1.5
_TOKEN_LIFE_S = 300


class _Outcome(SecretStruct, rename="pascal"):
    code: str = "Success"
    message: str = ""


class InstanceKeys:
    """The `Issuer` at 169.254.169.254 or AWS_EC2_METADATA_SERVICE_ENDPOINT."""

    name = "EC2 instance metadata"

    def __init__(self, environment: Mapping[str, str], exchange: Exchange) -> None:
        self._environment = environment
        self._exchange = exchange
        self._has_answered = False

    async def fetch(self) -> AwsKeys | None:
        """Ask for the role, then for its keys; see `Issuer.fetch`.

        Returns: None where AWS_EC2_METADATA_DISABLED is true, and where nobody answers that ever
        has: then this is no instance, or a container whose hop limit keeps it from asking.
        """
        if self._environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            return None
        try:
            token = await self._ask("PUT", "/latest/api/token", token="")
        except NoAnswer:
            if self._has_answered:
                raise
            return None
        if token.status != 200:
            raise refusal(token, issuer=self.name)
        self._has_answered = True
        secret = token.body.decode("latin-1").strip()
        roles = await self._ask("GET", _ROLES, token=secret)
        role = roles.body.decode("latin-1").split()
        if roles.status == 404 or (roles.status == 200 and not role):
            raise AccessDenied(f"no credentials: this instance has no role ({self.name})")
        if roles.status != 200:
            raise refusal(roles, issuer=self.name, secrets=[secret])
        answer = await self._ask("GET", f"{_ROLES}{quote(role[0], safe='')}", token=secret)
        return self._keys(answer, secret)

    async def _ask(self, method: str, path: str, *, token: str) -> Answer:
        life = {"x-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_LIFE_S)}
        return await self._exchange.ask(
            method,
            f"{self._endpoint()}{path}",
            issuer=self.name,
            timeout_s=_TIMEOUT_S,
            headers={"x-aws-ec2-metadata-token": token} if token else life,
            is_local=True,
        )

    def _endpoint(self) -> str:
        named = self._environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "")
        mode = self._environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "")
        return (named or (_ENDPOINT_IPV6 if mode.lower() == "ipv6" else _ENDPOINT)).rstrip("/")

    def _keys(self, answer: Answer, secret: str) -> AwsKeys:
        if answer.status != 200:
            raise refusal(answer, issuer=self.name, secrets=[secret])
        # It explains a failure in an answer of status 200.
        outcome = answer.read(_Outcome, issuer=self.name)
        if outcome.code != "Success":
            raise refusal(
                answer, issuer=self.name, code=outcome.code, words=outcome.message, secrets=[secret]
            )
        return answer.read(GivenKeys, issuer=self.name).keys(issuer=self.name)
