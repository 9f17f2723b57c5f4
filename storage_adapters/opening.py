"""Opens the store that a URL names, loading only the adapter that is asked for.

No adapter is imported before it is needed: a broker on files loads no HTTP client. Called by the
command line, and by the client when it looks for the broker in the store.
"""

from urllib.parse import parse_qsl

from storage_adapters.contract import ObjectStore, StoreMisconfigured

__all__ = ["open_store"]


def open_store(url: str, *, force_network: bool = False) -> ObjectStore:
    """Open the store that `url` names. Contacts nothing and creates nothing yet.

    Args:
        url: "memory:", "memory:?latency_ms=40", "file:./osqueue-data" or "file:///var/lib/queue".
            What follows "file:" is the path as it is, with no escapes and no parameters.
        force_network: let the file store use a network file system.

    Raises:
        StoreMisconfigured: the URL names no store that this version can open, or the file store
            refuses its directory.
    """
    scheme, separator, rest = url.partition(":")
    if separator and scheme == "memory":
        return _open_memory(url, rest=rest)
    if separator and scheme == "file":
        return _open_file(url, rest=rest, force_network=force_network)
    if separator and scheme in ("s3", "gs"):
        raise StoreMisconfigured(
            f"buckets are not in this version, only memory: and file: are; choose one: {url}"
        )
    raise StoreMisconfigured(
        "a store is named by a URL that begins with memory: or file: "
        f"(s3: and gs: are not in this version); correct it: {url!r}"
    )


def _open_memory(url: str, *, rest: str) -> ObjectStore:
    from storage_adapters.memory import MemoryStore

    before_query, _, query = rest.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    latency_ms = parameters.pop("latency_ms", "0")
    if before_query or parameters:
        raise StoreMisconfigured(f"a memory store takes latency_ms only; correct it: {url!r}")
    if not (latency_ms.isascii() and latency_ms.isdecimal()):
        raise StoreMisconfigured(
            f"latency_ms must be a whole number of milliseconds, 0 or more; correct it: {url!r}"
        )
    return MemoryStore(latency_ms=int(latency_ms))


def _open_file(url: str, *, rest: str, force_network: bool) -> ObjectStore:
    from storage_adapters.file.store import FileStore

    directory = rest
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host not in ("", "localhost") or not slash:
            raise StoreMisconfigured(
                "a file store is on this machine: write file:./relative or file:///absolute; "
                f"correct it: {url!r}"
            )
        directory = f"/{path}"
    if not directory or "\0" in directory:
        raise StoreMisconfigured(f"a file store needs a directory; correct it: {url!r}")
    return FileStore(directory, force_network=force_network)
