"""Keys of a task on ECS or a pod on EKS (Pod Identity): an agent on the same host gives them.

Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.aws.given_keys import Explanation, GivenKeys
from storage_adapters.credentials.exchange import Exchange, refusal
from storage_adapters.credentials.files import read_text
from storage_adapters.signing import AwsKeys

__all__ = ["ContainerKeys"]

_RELATIVE_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
_FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
_TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
_ECS_AGENT = "http://169.254.170.2"
_EKS_AGENT_IPV6 = ipaddress.ip_address("fd00:ec2::23")
_TIMEOUT_S = 2.0


class ContainerKeys:
    """The `Issuer` that AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI names."""

    name = "container credentials"

    def __init__(self, environment: Mapping[str, str], exchange: Exchange) -> None:
        self._environment = environment
        self._exchange = exchange

    async def fetch(self) -> AwsKeys | None:
        """Ask the agent; None where no variable names one. See `Issuer.fetch`."""
        url = self._url()
        if url is None:
            return None
        # Rotated in place, so read each time.
        token = await self._token()
        answer = await self._exchange.ask(
            "GET",
            url,
            issuer=self.name,
            timeout_s=_TIMEOUT_S,
            headers={"accept": "application/json"} | ({"authorization": token} if token else {}),
            is_local=not url.startswith("https:"),
        )
        if answer.status != 200:
            why = answer.peek(Explanation) or Explanation()
            raise refusal(
                answer, issuer=self.name, code=why.code, words=why.message, secrets=[token]
            )
        return answer.read(GivenKeys, issuer=self.name).keys(issuer=self.name)

    def _url(self) -> str | None:
        relative = self._environment.get(_RELATIVE_URI)
        if relative:
            # Without the slash the rest would become a part of the host's name.
            return f"{_ECS_AGENT}/{relative.removeprefix('/')}"
        url = self._environment.get(_FULL_URI)
        if url and not _is_beside_us(url):
            raise StoreMisconfigured(
                f"{_FULL_URI} must begin with https:// or name this machine or its link "
                "(localhost, 127.0.0.1, 169.254.170.23): over the network its token would be "
                "readable; correct it"
            )
        return url or None

    async def _token(self) -> str:
        path = self._environment.get(_TOKEN_FILE)
        if not path:
            return self._environment.get(_TOKEN, "")
        token = await read_text(Path(path), what=f"the file of {_TOKEN_FILE}")
        if token is None:
            raise StoreMisconfigured(f"{_TOKEN_FILE} names no file; correct it: {path}")
        return token.strip()


def _is_beside_us(url: str) -> bool:
    try:
        parts = urlsplit(url)
        if parts.scheme == "https" or parts.hostname == "localhost":
            return True
        address = ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local or address == _EKS_AGENT_IPV6
