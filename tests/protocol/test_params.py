"""Params: what is absent, what is null, what is ignored, and what is refused."""

import pytest

from osqueue.core.errors import InvalidRequest
from osqueue.protocol.codec import Encoding, decode_params
from osqueue.protocol.params import ABSENT, ClaimJobParams, Params, SubmitJobParams
from tests.protocol.samples import PARAMS, raw


@pytest.mark.parametrize("encoding", Encoding)
def test_null_stands_for_an_absent_field(encoding: Encoding) -> None:
    nulls = raw({"payload": None, "type": None, "priority": None, "retry": None}, encoding)
    params = decode_params(nulls, SubmitJobParams, encoding)
    assert (params.type, params.priority, params.retry) == (None, None, None)
    assert decode_params(raw({}, encoding), SubmitJobParams, encoding).payload == ABSENT


@pytest.mark.parametrize("encoding", Encoding)
def test_unknown_field_is_ignored(encoding: Encoding) -> None:
    params = decode_params(raw({"workerId": "w", "later": [1]}, encoding), ClaimJobParams, encoding)
    assert params == ClaimJobParams(worker_id="w")


@pytest.mark.parametrize("encoding", Encoding)
def test_missing_field_is_named(encoding: Encoding) -> None:
    with pytest.raises(InvalidRequest, match="missing required field `workerId`"):
        decode_params(raw({}, encoding), ClaimJobParams, encoding)


@pytest.mark.parametrize("encoding", Encoding)
def test_field_of_the_wrong_type_is_named(encoding: Encoding) -> None:
    with pytest.raises(InvalidRequest, match=r"Expected `str \| null`, got `int` - at `\$.type`"):
        decode_params(raw({"type": 5}, encoding), SubmitJobParams, encoding)


def test_params_are_structs_with_defaults_left_out() -> None:
    assert all(isinstance(params, Params) for params in PARAMS(Encoding.JSON).values())
    assert raw(ClaimJobParams(worker_id="w"), Encoding.JSON) == raw(
        {"workerId": "w"}, Encoding.JSON
    )
