"""What is stored is found again, whoever wrote it; what cannot be used is refused, and where."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from osqueue.core.document import (
    Header,
    LoadedDocument,
    encode_document,
    load_document,
    read_header,
)
from osqueue.core.errors import StoredDataInvalid
from osqueue.core.limits import BLOCK_JOBS, QueueRules
from osqueue.core.mutations import CancelJob, PauseQueue
from tests.builders import (
    COMMIT_ID,
    apply,
    claim,
    complete,
    fail,
    make_header,
    make_job,
    make_new_job,
    make_repeat,
    make_state,
    submit,
)

GOLDEN = Path(__file__).parent / "golden" / "document_v1.json"
LEAST: dict[str, Any] = {
    "format": 1,
    "broker": None,
    "epoch": 7,
    "commitId": COMMIT_ID,
    "nextOrder": 9,
    "jobs": [],
}
"""What every document has."""


def load(document: bytes | dict[str, Any]) -> LoadedDocument:
    data = document if isinstance(document, bytes) else msgspec.json.encode(document)
    return load_document(data, QueueRules(), random.Random(1))


def encode(loaded: LoadedDocument) -> bytes:
    return b"".join(encode_document(loaded.header, loaded.unknown_header, loaded.state))


def with_job(**fields: Any) -> dict[str, Any]:
    """A document of one job, in the words of the document."""
    return LEAST | {"jobs": [{"id": "a", "status": "unclaimed", "order": 1} | fields]}


def test_golden_document_loads_and_is_written_again_byte_by_byte() -> None:
    document = GOLDEN.read_bytes()
    loaded = load(document)
    assert encode(loaded) == document
    loaded.state.check_invariants()
    assert loaded.state.table.counts == {
        "scheduled": 1,
        "unclaimed": 2,
        "in_progress": 1,
        "completed": 1,
        "dead": 1,
    }
    assert (loaded.header.epoch, loaded.header.completed_total) == (7, 42)
    assert loaded.state.paused_types == {"reports"}
    assert loaded.unknown_header == {"cron": Raw(b'[{"every":"1h"}]')}
    assert len(loaded.state.clients) == 2


@pytest.mark.parametrize("line_break", [b"\n", b"\r\n"])
def test_golden_document_reformatted_by_hand_loads_all_the_same(line_break: bytes) -> None:
    document = GOLDEN.read_bytes()
    pretty = msgspec.json.format(document, indent=2).replace(b"\n", line_break)
    assert pretty.count(b"\n") > 100
    written = encode(load(pretty))
    assert msgspec.json.decode(written) == msgspec.json.decode(document)
    assert written.count(b"\n") == document.count(b"\n")


def test_document_of_an_empty_queue_is_the_same_after_loading() -> None:
    document = b"".join(encode_document(make_header(), {}, make_state()))
    loaded = load(document)
    assert encode(loaded) == document
    assert loaded.state.table.by_id == {}


def test_document_after_a_life_is_the_same_after_loading() -> None:
    state = make_state(make_job(1, type="b"))
    submit(state, make_new_job(2, priority=3, unique_key="é\n"), repeat=make_repeat(1))
    submit(state, make_new_job(3, delay_ms=500), make_new_job(2), repeat=make_repeat(3))
    claim(state, claim_id="claim-1", types=["b"])
    fail(state, "job-1", repeat=make_repeat(4, client_id="client-2"))
    claim(state, limit=3)
    apply(state, CancelJob(job_id="job-2"))
    apply(state, PauseQueue(type=""))
    submit(state, make_new_job(5, result_ttl_ms=900), make_new_job(6))
    document = b"".join(encode_document(make_header(), {}, state))
    loaded = load(document)
    loaded.state.check_invariants()
    assert encode(loaded) == document
    assert loaded.state.table.by_id == state.table.by_id
    assert loaded.state.totals == state.totals


def test_document_has_a_header_line_then_tables_then_blocks_a_line_each() -> None:
    state = make_state(*[make_job(order) for order in range(1, BLOCK_JOBS + 2)])
    submit(state, make_new_job(9_000), repeat=make_repeat(1))
    lines = b"".join(encode_document(make_header(), {"x": Raw(b"5")}, state)).split(b"\n")
    beginnings = [line[:12] for line in lines]
    assert beginnings == [
        b'{"format":1,',
        b'"x":5,',
        b'"pausedTypes',
        b'"clients":{"',
        b'"jobs":[',
        b'{"id":"job-1',
        b'{"id":"job-2',
        b"]}",
        b"",
    ]
    assert all(encode_document(make_header(), {}, make_state()))


def test_unknown_fields_survive_a_change_of_what_they_stand_beside() -> None:
    entry = {"applied": [[1, 1]], "rate": {"a": [1, 2]}}
    jobs = [
        {"id": "a", "status": "unclaimed", "order": 1, "payload": 1, "color": {"r": "\n"}},
        {"id": "b", "status": "unclaimed", "order": 2},
    ]
    future = {"zebra": [1, {"b": 2}], "clients": {"client-1": entry}, "jobs": jobs}
    pretty = msgspec.json.format(msgspec.json.encode(LEAST | future), indent=4)
    loaded = load(pretty)
    claim(loaded.state, limit=2)
    complete(loaded.state, "b")
    submit(loaded.state, make_new_job(9), repeat=make_repeat(2))
    written = msgspec.json.decode(encode(load(encode(loaded))))
    assert written["zebra"] == [1, {"b": 2}]
    assert written["clients"]["client-1"]["rate"] == {"a": [1, 2]}
    assert written["clients"]["client-1"]["applied"] == [[1, 2]]
    assert written["jobs"][0]["color"] == {"r": "\n"}
    assert written["jobs"][0]["status"] == "in_progress"
    assert [job["id"] for job in written["jobs"]] == ["a", "job-9"]
    assert encode(loaded).count(b"\n") == encode(load(LEAST)).count(b"\n") + 1


@pytest.mark.parametrize("newer", [{"format": 2}, {"format": 99, "epoch": "other", "jobs": {}}])
def test_newer_format_is_refused_whatever_else_it_holds(newer: dict[str, Any]) -> None:
    document = LEAST | newer
    with pytest.raises(StoredDataInvalid, match=r"format is \d+.* upgrade this broker"):
        load(document)
    line = msgspec.json.encode(document)[:-1] + b",\n"
    with pytest.raises(StoredDataInvalid, match="upgrade this broker"):
        read_header(line)


UNREADABLE: dict[str, tuple[bytes | dict[str, Any], str]] = {
    "empty": (b"", "truncated"),
    "cut": (msgspec.json.encode(LEAST)[:-5], "truncated"),
    "no JSON": (b"<html>", r"malformed.*byte 0"),
    "a list": (b"[]", "Expected `object`, got `array`"),
    "another object": ({}, "commitId, epoch, format, jobs, nextOrder missing"),
    "no jobs": ({k: v for k, v in LEAST.items() if k != "jobs"}, "jobs missing"),
    "no epoch": ({k: v for k, v in LEAST.items() if k != "epoch"}, "epoch missing"),
    "header type": (
        LEAST | {"epoch": "seven"},
        'epoch must be a whole number from 0 to 9007199254740991, not "seven"',
    ),
    "format type": (LEAST | {"format": "one"}, "Expected `int`, got `str`"),
    "format zero": (LEAST | {"format": 0}, "format must be a whole number from 1 to 1, not 0"),
    "fraction": (LEAST | {"epoch": 7.5}, "epoch must be a whole number .*, not 7.5"),
    "negative epoch": (LEAST | {"epoch": -1}, "epoch must be a whole number .*, not -1"),
    "epoch null": (LEAST | {"epoch": None}, "epoch must be a whole number .*, not null"),
    "epoch of another commit": (LEAST | {"epoch": 6}, "epoch is 6, and commitId .* of epoch 7"),
    "timeout for ever": (
        LEAST | {"brokerTimeoutMs": 10**15},
        "brokerTimeoutMs must be a whole number from 1 to 604800000, not 1000000000000000",
    ),
    "no timeout": (LEAST | {"brokerTimeoutMs": 0}, "brokerTimeoutMs must be a whole number from 1"),
    "time in microseconds": (
        LEAST | {"brokerHeartbeat": 1_706_000_000_000_000},
        "brokerHeartbeat must be .* to 253402300799999, not 1706000000000000",
    ),
    "negative total": (LEAST | {"completedTotal": -5}, "completedTotal must be .* from 0 .*not -5"),
    "lineage epoch": (
        LEAST | {"lineage": [{"epoch": 8, "brokerName": "x", "takenFrom": ""}]},
        r"lineage number 0 \(from 0\): epoch must be 1 to 7, not 8",
    ),
    "lineage time": (
        LEAST | {"lineage": [{"epoch": 7, "brokerName": "x", "takenFrom": "", "at": -1}]},
        r"lineage number 0 \(from 0\): at must be 0 to 253402300799999, not -1",
    ),
    "job time": (with_job(createdAt=10**15), "a has a number out of bounds: .*createdAt 10{15},"),
    "job priority": (with_job(priority=101), "priority -100 to 100, .*priority 101"),
    "commit id": (LEAST | {"commitId": "7"}, "'7' is no commit id"),
    "lineage": (
        LEAST | {"lineage": [{"epoch": 1, "brokerName": "x", "takenFrom": "y"}]},
        "'y' is no commit id",
    ),
    "paused types": (LEAST | {"pausedTypes": [1]}, r"pausedTypes: .*\$\[0\]"),
    "clients type": (LEAST | {"clients": []}, "clients: Expected `object`"),
    "client entry": (LEAST | {"clients": {"c": {"floor": "x"}}}, r"clients: .*\$.floor"),
    "client ranges": (LEAST | {"clients": {"c": {"applied": [[2, 1]]}}}, "clients: c: its floor"),
    "client answers": (LEAST | {"clients": {"c": {"answers": {"x": 1}}}}, "clients: .*answers"),
    "jobs type": (LEAST | {"jobs": {}}, "jobs: Expected `array`"),
    "job type": (LEAST | {"jobs": [5]}, r"jobs: number 0 \(from 0\): Expected `object`"),
    "job status": (with_job(status="lost"), r"jobs: number 0 .*'lost' - at `\$.status`"),
    "job attempts type": (with_job(attempts="1"), r"jobs: number 0 .*\$.attempts"),
    "job without order": (with_job(order=0), "jobs: a has order 0"),
    "job beyond nextOrder": (with_job(order=9), "jobs: a has order 9"),
    "two jobs of one order": (
        LEAST | {"jobs": [{"id": i, "status": "unclaimed", "order": 4} for i in "ab"]},
        "jobs: b has order 4: taken",
    ),
    "two jobs of one id": (
        LEAST | {"jobs": [{"id": "a", "status": "dead", "order": n} for n in (1, 2)]},
        "jobs: a is there twice",
    ),
    "two holders of one key": (
        LEAST
        | {
            "jobs": [
                {"id": f"j{n}", "status": "unclaimed", "order": n, "uniqueKey": "k"} for n in (1, 2)
            ]
        },
        "jobs: j2: another job holds uniqueKey 'k'",
    ),
    "held by nobody": (with_job(status="in_progress"), "jobs: a is in_progress with workerId ''"),
    "waiting with a worker": (with_job(workerId="w"), "jobs: a is unclaimed with workerId 'w'"),
    "waiting with a claim": (with_job(claimId="c"), "jobs: a is unclaimed with workerId ''"),
    "waiting without attempts left": (with_job(attempts=3), "jobs: a is unclaimed after 3 of 3"),
    "dead past its attempts": (with_job(status="dead", attempts=4), "a is dead after 4 of 3"),
    "negative attempts": (with_job(status="dead", attempts=-1), "a is dead after -1 of 3"),
    "broken text": (msgspec.json.encode(with_job(payload="?")).replace(b"?", b"\xff"), "utf-8"),
    "deep nest": (b'{"jobs":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "recursion"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_document_is_refused_with_the_place(name: str) -> None:
    document, place = UNREADABLE[name]
    with pytest.raises(StoredDataInvalid, match=f"(?s)cannot be used: .*{place}") as refusal:
        load(document)
    assert "Nothing was written" in refusal.value.message


def test_job_with_the_fewest_fields_is_loaded_with_defaults() -> None:
    state = load(with_job()).state
    job = state.table.by_id["a"]
    assert (job.type, bytes(job.payload), job.max_attempts, job.priority) == ("", b"null", 3, 0)


def test_jobs_in_any_order_are_loaded_in_order_of_submission() -> None:
    jobs = [{"id": f"j{order}", "status": "unclaimed", "order": order} for order in (3, 1, 2)]
    state = load(LEAST | {"jobs": jobs}).state
    assert [job.order for job in state.table.blocks.after(-1)] == [1, 2, 3]


def test_header_is_read_from_the_first_line() -> None:
    header = make_header(broker=None, broker_host="host")
    document = b"".join(encode_document(header, {}, make_state(make_job())))
    assert read_header(document) == header
    assert read_header(document[: document.index(b"\n") + 1]) == header


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{\n",
        b'{"format":1,\n',
        b'{ "format": 1,\n  "broker": null,\n',
        b'{"format":1,"broker":null,"epoch":1,"commitId":"1-1-0"',
        b'{"format":1,"broker":5,"epoch":1,"commitId":"x"},\n',
        b'{"format":1,"broker":5,"epoch":1,"commitId":"x",\n',
        b"nonsense,\n",
        b"[" * 100_000 + b",\n",
    ],
)
def test_header_that_line_1_does_not_hold_is_left_to_the_whole_document(head: bytes) -> None:
    assert read_header(head) is None


def test_header_tells_its_commit_id_in_parts() -> None:
    assert str(make_header().parsed_commit_id()) == COMMIT_ID
    with pytest.raises(StoredDataInvalid, match="commitId 'x' is no commit id"):
        Header(commit_id="x").parsed_commit_id()
