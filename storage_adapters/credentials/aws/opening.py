"""Puts the chain for S3 together."""

from collections.abc import Callable, Mapping
from pathlib import Path

from storage_adapters.credentials.aws.container import ContainerKeys
from storage_adapters.credentials.aws.environment import EnvironmentKeys
from storage_adapters.credentials.aws.instance import InstanceKeys
from storage_adapters.credentials.aws.profile_keys import ProfileKeys, ProfileReader, ProfileRole
from storage_adapters.credentials.aws.sts import TokenService
from storage_adapters.credentials.aws.web_identity import WebIdentityKeys
from storage_adapters.credentials.chain import Chain
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.credentials.refreshing import FailedRenewal, RefreshingSource

__all__ = ["aws_credentials"]


def aws_credentials(
    environment: Mapping[str, str],
    *,
    home: Path,
    now_ms: Callable[[], int],
    exchange: Exchange | None = None,
    on_failed_renewal: FailedRenewal | None = None,
) -> RefreshingSource:
    """Look for credentials where the tools of AWS do, in the order of botocore.

    Environment variables; the role of the profile; web identity; what else the profile has;
    container; EC2 instance. Reads, runs and asks nothing before the first request needs it.

    Args:
        environment: the variables of the process, or what stands for them.
        home: of its user, for `~/.aws`.
        now_ms: the wall clock, ms since the epoch.
        exchange: how issuers are asked; by default trusting what the machine trusts.
        on_failed_renewal: see `RefreshingSource`.
    """
    exchange = exchange or Exchange()
    sts = TokenService(environment, exchange, now_ms=now_ms)
    variables = EnvironmentKeys(environment)
    container = ContainerKeys(environment, exchange)
    instance = InstanceKeys(environment, exchange)
    reader = ProfileReader(
        environment,
        home=home,
        sts=sts,
        named_sources={
            "Environment": variables,
            "EcsContainer": container,
            "Ec2InstanceMetadata": instance,
        },
    )
    chain = Chain(
        [
            variables,
            ProfileRole(reader),
            WebIdentityKeys(environment, sts),
            ProfileKeys(reader),
            container,
            instance,
        ],
        advice="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, choose a profile by AWS_PROFILE, "
        "or give the machine a role",
    )
    return RefreshingSource(chain, now_ms=now_ms, on_failed_renewal=on_failed_renewal)
