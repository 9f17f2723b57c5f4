"""Faults of the stores. The simulations have stores of their own, and of these only the reading of
answers: for the rest their own tests have to see them."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_FILE = "storage_adapters/file/store.py"
_S3 = "storage_adapters/s3.py"
_GCS = "storage_adapters/gcs.py"
_NOT_PLAYED = "the simulations have stores of their own"

MUTANTS = [
    Mutant(
        name="the file is not flushed",
        file=_FILE,
        old="        self._disk_calls.fsync(file)\n",
        new="",
        killed_by="tests/storage_adapters/file/test_store.py::"
        "test_put_that_fails_before_the_rename_changes_nothing",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="the directory is not flushed",
        file=_FILE,
        old="            self._disk_calls.fsync(directory)\n",
        new="            pass\n",
        killed_by="tests/storage_adapters/file/test_store.py::"
        "test_put_whose_directory_cannot_be_flushed_ends_the_process",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="a put on S3 names no version",
        file=_S3,
        old='            headers["if-match"] = self._etag(condition.version)\n',
        new="            pass\n",
        killed_by="tests/storage_adapters/test_s3.py::test_put_carries_its_condition",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="the quotes of an ETag are the wrong way round",
        file=_S3,
        old="return f'\"{version}\"' if self.quotes_etags else version",
        new="return version if self.quotes_etags else f'\"{version}\"'",
        killed_by="tests/storage_adapters/test_s3.py::test_put_carries_its_condition",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="a look at S3 is no conditional read",
        file=_S3,
        old='            headers["if-none-match"] = self._etag(if_changed_from)\n',
        new="            pass\n",
        killed_by="tests/storage_adapters/test_s3.py::test_read_asks_for_a_head_under_a_condition",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="a queue on GCS is created over another",
        file=_GCS,
        old="_CREATED_FROM_NOTHING if is_create else condition.version",
        new='"" if is_create else condition.version',
        killed_by="tests/storage_adapters/test_gcs.py::test_put_is_one_multipart_upload",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="Google does not check what it stores",
        file=_GCS,
        old='            "md5Hash": b64encode(digest).decode(),\n',
        new="",
        killed_by="tests/storage_adapters/test_gcs.py::test_put_is_one_multipart_upload",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="a write without an answer passes for one never sent",
        file="storage_adapters/http_store.py",
        old="        except _NEVER_SENT as error:\n",
        new="        except httpx.TransportError as error:\n",
        killed_by="tests/storage_adapters/test_http_store.py::"
        "test_broken_answer_leaves_a_write_unknown_and_a_read_undone",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="the memory store writes over any version",
        file="storage_adapters/memory.py",
        old="        if refusal is None:\n",
        new="        if True:\n",
        killed_by="tests/storage_adapters/test_memory.py::test_memory_with_latency_keeps_promise",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="a budget of writes is never used up",
        file="storage_adapters/throttled.py",
        old="            self._writes.take(steady_ms)\n",
        new="            pass\n",
        killed_by="tests/storage_adapters/test_throttled.py::TestWrites::"
        "test_minute_is_used_up_at_once_then_writes_come_at_its_pace",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="any 404 of S3 is an absence",
        file="storage_adapters/s3.py",
        old="if answer.status == 404 and problem.code == _MISSING:",
        new="if answer.status == 404:",
        killed_by="world",
    ),
    Mutant(
        name="a page in place of a version is believed",
        file="storage_adapters/gcs.py",
        old="            if not _GENERATION.fullmatch(generation):\n",
        new="            if not generation:\n",
        killed_by="tests/storage_adapters/test_gcs.py::test_written_judges_failures",
        because="nobody in the world answers with a generation that cannot be one",
    ),
    Mutant(
        name="a 412 of somebody else is a conflict",
        file="storage_adapters/exchanges.py",
        old="case 412 if problem.is_told or not answer.body:",
        new="case 412:",
        killed_by="tests/storage_adapters/test_exchanges.py::"
        "test_answer_without_the_stores_words_says_nothing_of_the_object",
        because="a conflict only means to look, which costs a read",
    ),
    Mutant(
        name="no checksum is compared",
        file="storage_adapters/http_store.py",
        old="elif checksum.is_promised or self._etags_are_md5:",
        new="elif False:",
        killed_by="tests/storage_adapters/test_http_store.py::"
        "test_read_of_what_was_damaged_on_its_way_is_no_answer",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="versions are compared without a lock",
        file="storage_adapters/file/locking.py",
        old="fcntl.LOCK_EX | fcntl.LOCK_NB",
        new="fcntl.LOCK_SH | fcntl.LOCK_NB",
        killed_by="tests/storage_adapters/file/test_store.py::"
        "test_increments_of_racing_processes_are_never_lost",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="versions are compared before the lock only",
        file="storage_adapters/file/store.py",
        old="                    found = _refuse_unless(condition, path, key=key)\n",
        new="",
        killed_by="tests/storage_adapters/file/test_store.py::"
        "test_increments_of_racing_processes_are_never_lost",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="a clock set back repeats versions",
        file="storage_adapters/file/store.py",
        old="max(stamp_ns, os.fstat(lock).st_mtime_ns + 1, found_ns + 1)",
        new="stamp_ns",
        killed_by="tests/storage_adapters/file/test_store.py::"
        "test_versions_after_the_clock_was_set_back_never_repeat",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="the lock is held while the directory is flushed",
        file="storage_adapters/file/store.py",
        old="    self._flush_directory(parent, key=key)\n            return version",
        new="        self._flush_directory(parent, key=key)\n            return version",
        killed_by="tests/storage_adapters/file/test_store.py::"
        "test_writer_that_stands_still_in_a_flush_locks_nobody_out",
        because=_NOT_PLAYED,
    ),
    Mutant(
        name="the file of a living writer is removed",
        file="storage_adapters/file/unfinished.py",
        old="            if _lock(file):\n",
        new="            if True:\n",
        killed_by="tests/storage_adapters/file/test_unfinished.py::"
        "test_file_of_a_living_writer_stays_and_that_of_a_dead_one_goes",
        because=_NOT_PLAYED,
    ),
]
