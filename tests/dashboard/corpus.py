"""Texts that a page must show and never obey, and records that bear them wherever a client can put text."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.dashboard import traffic

from pointsman.vocabulary import Record

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "'><svg onload=alert(3)>",
    "</textarea></pre></bdi><script>alert(4)</script>",
    "javascript:alert(5)",
    '" autofocus onfocus=alert(6) x="',
    "{{ 7*7 }}{% include '/etc/passwd' %}${7*7}",
    "<iframe srcdoc='<script>parent.alert(7)</script>'>",
    "<a href='jav&#x09;ascript:alert(8)'>x</a>",
    "<style>*{display:none}</style><link rel=stylesheet href=//evil.example>",
    "<base href=//evil.example/><form action=//evil.example>",
    "‮gnp.exe \x00\x1b[31m\ud800 \u2028",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(9)>",
    "]]><!--<script>alert(10)//-->",
    "&lt;script&gt;alert(11)&lt;/script&gt;",
    "%3Cscript%3Ealert(12)%3C/script%3E",
)


def hostile_records(until: datetime) -> Iterator[Record]:
    """Each text as prompt, answer, requested model, tag, key, session, reason and error at once."""
    rng = random.Random(2)
    for number, text in enumerate(HOSTILE):
        prompt = json.dumps({"model": text, "messages": [{"role": "user", "content": text}], "user_agent": text})
        yield traffic.one(
            10_000 + number,
            until - timedelta(seconds=60 - number),
            rng,
            requested=text,
            tags=(text, "hostile"),
            key_id=text,
            session_id=text,
            prompt=prompt.encode("utf-8", "surrogatepass"),
            answer=text,
            error=text if number % 2 else None,
            reason=text,
        )
