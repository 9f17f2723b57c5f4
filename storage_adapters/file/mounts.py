"""Tells whether a directory lies on a file system that other machines may write to.

Reads the text of the kernel's table of mounts, which it is given. Opens nothing. Called by `store`,
whose locks hold on one machine only.
"""

import re
from pathlib import PurePath

__all__ = ["LOCAL_FUSE_TYPES", "NETWORK_TYPES", "network_type_of"]

NETWORK_TYPES = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "davfs", "orangefs"),
        *("ceph", "glusterfs", "lustre", "beegfs", "gpfs", "panfs", "gfs", "gfs2", "ocfs2"),
        # Between a virtual machine and its host: two kernels, and locks that do not cross over.
        *("9p", "virtiofs", "vboxsf", "prl_fs", "vmhgfs"),
    }
)
"""Types, as the table of mounts spells them, that more than one machine may have mounted."""

LOCAL_FUSE_TYPES = frozenset(
    {
        *("fuse.fuse-overlayfs", "fuse.mergerfs", "fuse.bindfs", "fuse.gocryptfs"),
        *("fuse.encfs", "fuse.cryfs", "fuse.unionfs"),
    }
)
"""FUSE types that only show local directories. Any other one may be a bucket or a server."""


def network_type_of(directory: PurePath, *, mounts: str) -> str | None:
    """Find the type of the network file system that holds `directory`.

    Args:
        directory: absolute, with symbolic links resolved. Need not exist.
        mounts: the text of `/proc/self/mounts`.

    Returns: the type; None where the file system is local, or the table does not tell.
    """
    found_type: str | None = None
    found_depth = 0
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount_point = PurePath(_unescaped(fields[1]))
        depth = len(mount_point.parts)
        # Of two mounts on one place the later one hides the earlier one: hence >=.
        if directory.is_relative_to(mount_point) and depth >= found_depth:
            found_type, found_depth = fields[2], depth
    return found_type if found_type is not None and _is_network(found_type) else None


def _is_network(file_system_type: str) -> bool:
    if file_system_type == "fuse" or file_system_type.startswith("fuse."):
        return file_system_type not in LOCAL_FUSE_TYPES
    return file_system_type in NETWORK_TYPES


def _unescaped(field: str) -> str:
    """Undo the octal escapes of the table: it separates fields by blanks and lines by newlines."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
