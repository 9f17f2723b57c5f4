"""Tests which file systems the table of mounts shows as shared with other machines."""

from pathlib import PurePath

import pytest

from storage_adapters.file.mounts import LOCAL_FUSE_TYPES, NETWORK_TYPES, network_type_of

MOUNTS = r"""/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /srv nfs4 rw,vers=4.2 0 0
/dev/vdb /srv/local xfs rw 0 0
//server/share /mnt/my\040share cifs rw 0 0
user@host: /home/user/remote fuse.sshfs rw 0 0
bucket /bucket fuse rw 0 0
merged /merged fuse.mergerfs rw 0 0
server:/a /over nfs rw 0 0
/dev/vdc /over ext4 rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("directory", "expected"),
    [
        ("/var/lib/osqueue", None),
        ("/", None),
        ("/srv", "nfs4"),
        ("/srv/a/b", "nfs4"),
        ("/srv/local/a", None),
        ("/srvother", None),
        ("/mnt/my share/queue", "cifs"),
        ("/home/user/remote/queue", "fuse.sshfs"),
        ("/home/user", None),
        ("/bucket/a", "fuse"),
        ("/merged/a", None),
        ("/over/a", None),
    ],
)
def test_network_type_of_directory_follows_its_nearest_mount(
    directory: str, expected: str | None
) -> None:
    assert network_type_of(PurePath(directory), mounts=MOUNTS) == expected


@pytest.mark.parametrize("mounts", ["", "\n\n", "nonsense", "a b"])
def test_network_type_of_without_a_table_is_unknown(mounts: str) -> None:
    assert network_type_of(PurePath("/a"), mounts=mounts) is None


@pytest.mark.parametrize("name", sorted(NETWORK_TYPES))
def test_network_type_of_each_network_type_is_found(name: str) -> None:
    assert network_type_of(PurePath("/a/b"), mounts=f"x /a {name} rw 0 0") == name


@pytest.mark.parametrize("name", sorted(LOCAL_FUSE_TYPES))
def test_network_type_of_local_fuse_type_is_none(name: str) -> None:
    assert network_type_of(PurePath("/a/b"), mounts=f"x /a {name} rw 0 0") is None
