"""Asks the security token service of AWS for the keys of a role.

Source: AWS STS API Reference, version 2011-06-15, AssumeRole and AssumeRoleWithWebIdentity.
"""

import hashlib
from collections.abc import Callable, Mapping
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

from storage_adapters.contract import NotApplied, StoreMisconfigured
from storage_adapters.credentials.exchange import Answer, Exchange, ms_of, refusal
from storage_adapters.signing import AwsKeys, UnsignedRequest, sign_sigv4

__all__ = ["TokenService"]

_TIMEOUT_S = 5.0
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
# Told with status 400, although it goes away by itself.
_PASSING = frozenset({"IDPCommunicationError", "Throttling", "ThrottlingException"})


class TokenService:
    """The service of the region that the environment names, or the one at AWS_ENDPOINT_URL_STS."""

    name = "AWS STS"

    def __init__(
        self, environment: Mapping[str, str], exchange: Exchange, *, now_ms: Callable[[], int]
    ) -> None:
        self._environment = environment
        self._exchange = exchange
        self._now_ms = now_ms

    async def assume_role(
        self, parameters: Mapping[str, str], *, keys: AwsKeys, region: str | None = None
    ) -> AwsKeys:
        """Get keys for a role that `keys` may assume.

        Args:
            parameters: RoleArn, and what the role asks for besides.
            region: that of a profile; the environment's comes first.

        Raises, Cancellation: as `Issuer.fetch`.
        """
        given = {"Action": "AssumeRole", **parameters}
        secrets = [keys.secret_access_key, keys.session_token or ""]
        return await self._ask(given, keys=keys, region=region, secrets=secrets)

    async def assume_role_with_web_identity(
        self, parameters: Mapping[str, str], *, token: str, region: str | None = None
    ) -> AwsKeys:
        """Get keys for a role by an identity token that its trust policy names.

        Raises, Cancellation: as `Issuer.fetch`.
        """
        given = {"Action": "AssumeRoleWithWebIdentity", **parameters, "WebIdentityToken": token}
        return await self._ask(given, keys=None, region=region, secrets=[token])

    async def _ask(
        self,
        parameters: Mapping[str, str],
        *,
        keys: AwsKeys | None,
        region: str | None,
        secrets: list[str],
    ) -> AwsKeys:
        named = self._environment.get
        region = named("AWS_REGION") or named("AWS_DEFAULT_REGION") or region
        url, host = self._address(region)
        session = named("AWS_ROLE_SESSION_NAME") or f"osqueue-{self._now_ms()}"
        form = {"Version": "2011-06-15", "RoleSessionName": session, **parameters}
        content = urlencode(form).encode()
        headers = {"content-type": _FORM}
        if keys is not None:
            request = UnsignedRequest(
                "POST", urlsplit(url).scheme, host, b"/", headers,
                hashlib.sha256(content).hexdigest(),
            )  # fmt: skip
            headers |= sign_sigv4(
                request, keys, region=region or "us-east-1", now_ms=self._now_ms(), service="sts"
            )
        answer = await self._exchange.ask(
            "POST", url, issuer=self.name, timeout_s=_TIMEOUT_S,
            headers={**headers, "host": host}, content=content,
        )  # fmt: skip
        return self._keys(answer, secrets)

    def _address(self, region: str | None) -> tuple[str, str]:
        named = self._environment.get
        endpoint = named("AWS_ENDPOINT_URL_STS") or named("AWS_ENDPOINT_URL")
        if not endpoint:
            suffix = "amazonaws.com.cn" if (region or "").startswith("cn-") else "amazonaws.com"
            host = f"sts.{region}.{suffix}" if region else f"sts.{suffix}"
            return f"https://{host}/", host
        parts = urlsplit(endpoint)
        if parts.path not in ("", "/") or not parts.netloc or "@" in parts.netloc:
            raise StoreMisconfigured(
                "AWS_ENDPOINT_URL_STS (or AWS_ENDPOINT_URL) must be a scheme and a host, as in "
                "https://sts.eu-central-1.amazonaws.com; correct it"
            )
        return f"{parts.scheme}://{parts.netloc}/", parts.netloc

    def _keys(self, answer: Answer, secrets: list[str]) -> AwsKeys:
        if answer.status != 200:
            error = _fields(answer, "Error")
            code = error.get("Code", "")
            raise refusal(
                answer, issuer=self.name, code=code, words=error.get("Message", ""),
                secrets=secrets, will_pass=code in _PASSING,
            )  # fmt: skip
        given = _fields(answer, "Credentials")
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        if missing := [name for name in names if not given.get(name)]:
            raise NotApplied(f"unusable answer of {self.name}: no {missing[0]} in its credentials")
        key_id, secret, token, expiration = (given[name] for name in names)
        return AwsKeys(key_id, secret, token, ms_of(expiration, issuer=self.name))


def _fields(answer: Answer, name: str) -> dict[str, str]:
    """What the first element `name` of an XML answer holds; empty where there is none."""
    try:
        root = ElementTree.fromstring(answer.body)
    except (ElementTree.ParseError, ValueError, LookupError):
        return {}
    for element in root.iter():
        if _local(element) == name:
            return {_local(child): (child.text or "").strip() for child in element}
    return {}


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
