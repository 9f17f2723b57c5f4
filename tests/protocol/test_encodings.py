"""The names of the encodings are the media types that HTTP knows them by."""

from osqueue.protocol.encodings import Encoding


def test_encodings_are_named_by_their_media_types() -> None:
    assert [encoding.value for encoding in Encoding] == ["application/json", "application/msgpack"]
