"""HMAC keys in environment variables, for those who have nothing else."""

from collections.abc import Mapping

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.signing import HmacKey

__all__ = ["EnvironmentHmacKey", "has_hmac_key"]

_ID = "GCS_HMAC_ACCESS_KEY_ID"
_SECRET = "GCS_HMAC_SECRET"


def has_hmac_key(environment: Mapping[str, str]) -> bool:
    """Tell whether an HMAC key comes before all other credentials, or half of one."""
    return any(environment.get(name, "").strip() for name in (_ID, _SECRET))


class EnvironmentHmacKey:
    """The `Issuer` of GCS_HMAC_ACCESS_KEY_ID and GCS_HMAC_SECRET."""

    name = f"{_ID} and {_SECRET}"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    async def fetch(self) -> HmacKey | None:
        """Give it; None where neither is set.

        Raises:
            StoreMisconfigured: one is set without the other.
        """
        if not has_hmac_key(self._environment):
            return None
        key_id, secret = (self._environment.get(name, "").strip() for name in (_ID, _SECRET))
        if not key_id or not secret:
            missing, found = (_SECRET, _ID) if key_id else (_ID, _SECRET)
            raise StoreMisconfigured(f"{found} is set, {missing} is not; set both or neither")
        return HmacKey(key_id, secret)
