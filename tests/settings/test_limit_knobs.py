"""The knobs of the limits: one for each, in their order."""

import msgspec

from osqueue.core.limits import Limits
from osqueue.settings.limit_knobs import LIMIT_KNOBS


def test_every_limit_has_its_knob_and_every_knob_its_limit() -> None:
    assert list(LIMIT_KNOBS) == [field.name for field in msgspec.structs.fields(Limits)]


def test_every_knob_bounds_its_limit_from_both_sides() -> None:
    for field in msgspec.structs.fields(Limits):
        knob = LIMIT_KNOBS[field.name]
        assert knob.minimum is not None
        assert knob.maximum is not None
        assert knob.minimum <= field.default <= knob.maximum
