"""Streams are cut into events by the letter of WHATWG HTML 9.2, in whatever pieces they come."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.wire.sse import EventSplitter, StreamTooLarge, data_of


def split(chunks: list[bytes], max_event_bytes: int = 1000) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter(max_event_bytes=max_event_bytes)
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return events, splitter.rest()


def datas(stream: bytes) -> list[bytes]:
    """The data of each event, by a decoder that is as plain as the standard's text; the last, open event is dropped."""
    text = stream.removeprefix(b"\xef\xbb\xbf")
    out: list[bytes] = []
    lines: list[bytes] = []
    for line in re.split(rb"\r\n|\r|\n", text)[:-1]:
        if line == b"":
            if lines:
                out.append(b"\n".join(lines))
            lines = []
        elif line == b"data":
            lines.append(b"")
        elif line.startswith(b"data:"):
            lines.append(line[5:].removeprefix(b" "))
    return out


def read(chunks: list[bytes]) -> list[bytes]:
    found = (data_of(event) for event in split(chunks)[0])
    return [each.data for each in found if each is not None]


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: x\n\n", b"x"),
        (b"data:x\n\n", b"x"),
        (b"data:  x \n\n", b" x "),
        (b"data: x\r\n\r\n", b"x"),
        (b"data: x\r\r", b"x"),
        (b"event: message\ndata: {}\n\n", b"{}"),
        (b"id: 7\nevent: e\ndata: {}\nretry: 10\n\n", b"{}"),
        (b"data: a\ndata:b\ndata\ndata: c\n\n", b"a\nb\n\nc"),
        (b": comment\ndata: x\n\n", b"x"),
        (b"\xef\xbb\xbfdata: x\n\n", b"x"),
        (b"\ndata: x\n\n", b"x"),
        (b": ping\n\n", None),
        (b"event: ping\n\n", None),
        (b"datax: 1\n\n", None),
        (b" data: 1\n\n", None),
        (b"data: \r\n\r\n", b""),
    ],
)
def test_an_events_data_follow_the_standard(event: bytes, data: bytes | None) -> None:
    found = data_of(event)
    assert (None if found is None else found.data) == data


def test_offsets_in_joined_data_lead_back_to_the_event() -> None:
    event = b": c\r\ndata: ab\r\ndata:cd\r\n\r\n"
    found = data_of(event)
    assert found is not None
    assert found.data == b"ab\ncd"
    assert [event[found.offset(at) : found.offset(at) + 1] for at in (0, 1, 3, 4)] == [b"a", b"b", b"c", b"d"]


def test_a_cut_carriage_return_does_not_lose_or_join_events() -> None:
    stream = b"data: a\r\n\r\ndata: b\r\n\r\n"
    for cut in range(len(stream)):
        assert read([stream[:cut], stream[cut:]]) == [b"a", b"b"]


def test_a_third_line_feed_stays_in_the_stream() -> None:
    assert split([b"data: a\n\n\n"]) == ([b"data: a\n\n"], b"\n")
    assert read([b"data: a\n\n\n", b"data: b\n\n"]) == [b"a", b"b"]


def test_an_event_above_the_limit_is_refused_in_one_piece_or_many() -> None:
    assert split([b"data: 45678\n\n"], 13) == ([b"data: 45678\n\n"], b"")
    for chunks in ([b"data: 456789\n\n"], [b"data: 456789", b"\n\n"], [b"x" * 14], [b": ok\n\ndata: 456789\n\n"]):
        with pytest.raises(StreamTooLarge, match="13 bytes"):
            split(chunks, 13)


pieces = st.lists(
    st.sampled_from([b"data:", b"data", b" ", b"x", b":", b"\n", b"\r", b"\r\n", b"event: e", b"\xc3\xa9", b"id"]),
    max_size=30,
)


@given(pieces, st.lists(st.integers(0, 100)), st.booleans())
def test_any_stream_in_any_pieces_gives_the_same_data_and_all_its_bytes(
    parts: list[bytes], cuts: list[int], bom: bool
) -> None:
    stream = (b"\xef\xbb\xbf" if bom else b"") + b"".join(parts)
    # A final CR may be the first half of an end of line; the plain decoder would have to wait for more.
    stream = stream.rstrip(b"\r")
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]
    events, rest = split(chunks)
    assert b"".join(events) + rest == stream
    assert read(chunks) == datas(stream)
    assert read([stream[i : i + 1] for i in range(len(stream))]) == datas(stream)
