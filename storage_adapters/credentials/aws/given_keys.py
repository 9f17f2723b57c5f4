"""Keys as a JSON object: how the services beside a machine and credential processes give them."""

from storage_adapters.contract import NotApplied
from storage_adapters.credentials.exchange import SecretStruct, ms_of
from storage_adapters.signing import AwsKeys

__all__ = ["Explanation", "GivenKeys"]


class GivenKeys(SecretStruct, rename="pascal"):
    """The object; which of the two names of the session token it has depends on who gives it."""

    access_key_id: str
    secret_access_key: str
    token: str | None = None
    session_token: str | None = None
    expiration: str | None = None

    def keys(self, *, issuer: str) -> AwsKeys:
        """Make keys of it.

        Raises:
            NotApplied: a field is empty, or the time of expiry is none.
        """
        if not self.access_key_id or not self.secret_access_key:
            raise NotApplied(f"unusable answer of {issuer}: a key is empty")
        ends_at_ms = ms_of(self.expiration, issuer=issuer) if self.expiration else None
        token = self.token or self.session_token
        return AwsKeys(self.access_key_id, self.secret_access_key, token or None, ends_at_ms)


class Explanation(SecretStruct):
    """Why there are none, as far as it is told."""

    code: str = ""
    message: str = ""
