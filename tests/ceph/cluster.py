"""A Ceph cluster for tests: one monitor, one store in memory, one gateway that speaks S3.

Needs Ceph's programs, which `make test-ceph` installs on Debian. Nobody proves who they are inside
the cluster; the gateway checks the signatures of its user as it always does.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from pathlib import Path

from storage_adapters.signing import AwsKeys
from tests.emulators.peers import S3Peer, create_s3_bucket
from tests.emulators.programs import Program, free_port

__all__ = ["Cluster"]

_COMMAND_S_MAX = 60
_OSD_PORTS_COUNT = 100
_KEYS = AwsKeys("osqueue-tests", "hidden/+secret")

_CONFIGURATION = """
[global]
fsid = {cluster_id}
mon_host = v2:127.0.0.1:{mon_port}
mon_initial_members = a
public_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_bind_port_min = {osd_port}
ms_bind_port_max = {osd_port_max}
# Encryption needs keys, which nobody has.
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
osd_objectstore = memstore
memstore_device_bytes = 536870912
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 5000
mon_data = {directory}/mon
osd_data = {directory}/osd
rgw_data = {directory}/rgw
rgw_frontends = beast endpoint=127.0.0.1:{rgw_port}
run_dir = {directory}
crash_dir = {directory}
log_file = {directory}/$name.log
pid_file = {directory}/$name.pid
admin_socket = {directory}/$name.asok
"""


class Cluster:
    """Started by its constructor, which takes about 20 s; `stop` ends it.

    Raises:
        FileNotFoundError: Ceph's programs are not there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._programs: list[Program] = []
        self._configuration = directory / "ceph.conf"
        try:
            self.gateway = self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all of its programs."""
        for program in reversed(self._programs):
            program.stop()

    def _start(self) -> S3Peer:
        for name in ("mon", "osd", "rgw"):
            (self._directory / name).mkdir()
        cluster_id, osd_id = str(uuid.uuid4()), str(uuid.uuid4())
        mon_port, rgw_port = free_port(), free_port()
        # It takes the first free ones from here, which is below those that are given out to others.
        osd_port = free_port() // 2
        self._configuration.write_text(
            _CONFIGURATION.format(
                directory=self._directory,
                cluster_id=cluster_id,
                mon_port=mon_port,
                osd_port=osd_port,
                osd_port_max=osd_port + _OSD_PORTS_COUNT,
                rgw_port=rgw_port,
            )
        )
        monitors = str(self._directory / "monitors")
        address = f"[v2:127.0.0.1:{mon_port}]"
        self._run("monmaptool", "--create", "--fsid", cluster_id, "--addv", "a", address, monitors)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitors)
        self._serve("ceph-mon", "-i", "a", "-f", port=mon_port)
        self._run("ceph", "osd", "new", osd_id, "0")
        self._run("ceph-osd", "-i", "0", "--osd-uuid", osd_id, "--mkfs")
        self._serve("ceph-osd", "-i", "0", "-f", port=osd_port)
        user = ("--uid=broker", "--display-name=broker")
        keys = (f"--access-key={_KEYS.access_key_id}", f"--secret-key={_KEYS.secret_access_key}")
        self._run("radosgw-admin", "user", "create", *user, *keys)
        gateway = self._serve("radosgw", "-n", "client.admin", "-f", port=rgw_port)
        create_s3_bucket(gateway.url, _KEYS, region="")
        return S3Peer(gateway, _KEYS, quotes_etags=False)

    @property
    def _environment(self) -> dict[str, str]:
        return {"CEPH_CONF": str(self._configuration)}

    def _run(self, *command: str) -> None:
        finished = subprocess.run(
            command,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_S_MAX,
            check=False,
        )
        assert finished.returncode == 0, f"{' '.join(command)}: {finished.stdout}"

    def _serve(self, name: str, *arguments: str, port: int) -> Program:
        program = Program(
            [f"/usr/bin/{name}", *arguments],
            port=port,
            log_file=self._directory / f"{name}.output",
            environment=self._environment,
        )
        self._programs.append(program)
        return program
