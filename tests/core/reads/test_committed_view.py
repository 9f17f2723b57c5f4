"""What queries see unless more is given."""

from osqueue.core.reads.committed_view import CommittedView
from tests.builders import make_header, make_state


def test_nobody_polls_unless_somebody_is_told_of() -> None:
    view = CommittedView(state=make_state(), header=make_header(), chunks=[])
    assert not view.find_polling()
