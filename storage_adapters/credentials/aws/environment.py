"""Keys in environment variables."""

from collections.abc import Mapping

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.signing import AwsKeys

__all__ = ["EnvironmentKeys"]

_KEY_ID = "AWS_ACCESS_KEY_ID"
_SECRET = "AWS_SECRET_ACCESS_KEY"
_TOKENS = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


class EnvironmentKeys:
    """The `Issuer` of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."""

    name = "environment variables"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    async def fetch(self) -> AwsKeys | None:
        """Give them; None where neither is set.

        Raises:
            StoreMisconfigured: one of key id and secret is set without the other.
        """
        key_id, secret = (self._environment.get(name, "").strip() for name in (_KEY_ID, _SECRET))
        if not key_id and not secret:
            return None
        if not key_id or not secret:
            missing, found = (_SECRET, _KEY_ID) if key_id else (_KEY_ID, _SECRET)
            raise StoreMisconfigured(f"{found} is set, {missing} is not; set both or neither")
        tokens = (self._environment.get(name, "").strip() for name in _TOKENS)
        return AwsKeys(key_id, secret, next((token for token in tokens if token), None))
