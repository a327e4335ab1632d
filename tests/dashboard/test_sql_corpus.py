"""Whatever looks like SQL, wherever a client or a browser can put it, is a value: it finds and changes nothing."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from tests.dashboard.stand import ADMIN_KEY, config, running
from tests.dashboard.traffic import records

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dashboard.stand import Stand

N = 30
CORPUS = (
    "' OR '1'='1",
    "' OR 1=1 --",
    '" OR "1"="1" --',
    "') OR ('1'='1",
    "1 OR 1=1",
    "x' UNION SELECT digest, name, 1 FROM keys --",
    "'; DROP TABLE records; --",
    "x'; UPDATE keys SET revoked_at = NULL; --",
    "1; ATTACH DATABASE '/tmp/x' AS x; --",
    "x' AND (SELECT COUNT(*) FROM sqlite_master) > 0 --",
    "x' AND randomblob(500000000) --",
    "%' OR name LIKE '%",
    "created_at DESC; DROP TABLE keys",
    "(CASE WHEN (1=1) THEN model ELSE tier END)",
    "\\' OR 1=1 --",
    "\u02bc OR 1=1 --",
    "x' /*!50000OR*/ 1=1 #",
    "$1::text; SELECT pg_sleep(5)",
    ":model OR 1=1",
    "%s' % (1) --",
    "{{7*7}}' OR 1=1",
    "x\x00' OR 1=1 --",
)
FILTERS = ("q", "model", "tier", "policy", "status", "key", "session", "tag", "span", "from", "to", "after", "a", "b")
EXTRA = ("sort", "order", "by", "limit", "cursor")
"""Names that other programs order by, and that nothing here reads."""
EXACT = ("model", "tier", "policy", "status", "key", "session", "tag")
MAY_BE = {200, 303, 400, 401, 403, 404, 415}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    made = records(N, until=datetime.now(UTC), over=timedelta(hours=5))
    folder = tmp_path_factory.mktemp("sql")
    settings = config(folder, limits={"failed_auth_per_min": 0})
    with running(folder, records=made, settings=settings) as opened:
        yield opened


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


OPEN = urllib.request.build_opener(NoRedirect)


def send(
    stand: Stand, path: str, *, key: str = ADMIN_KEY, cookie: str = "", body: bytes | None = None, method: str = "GET"
) -> tuple[int, str, str]:
    """Status, text and the cookie that was set."""
    headers = {"Authorization": f"Bearer {key}", "Cookie": cookie, "Origin": stand.url}
    is_form = body is not None and body[:1] != b"{"
    headers["Content-Type"] = "application/x-www-form-urlencoded" if is_form else "application/json"
    request = urllib.request.Request(stand.url + path, body, headers, method=method)
    try:
        with OPEN.open(request, timeout=30) as answer:
            return answer.status, answer.read().decode(), answer.headers.get("Set-Cookie", "")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers.get("Set-Cookie", "")


@pytest.fixture(scope="module")
def cookie(stand: Stand) -> str:
    status, _, cookie = send(stand, "/dashboard/sign-in", body=urlencode({"key": ADMIN_KEY}).encode(), method="POST")
    assert status == 303
    return cookie.partition(";")[0]


def inside(folder: Path) -> tuple[int, list[str]]:
    """How many records the file has, and its tables."""
    connection = sqlite3.connect(folder / "ledger.db")
    try:
        tables = connection.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
        return connection.execute("SELECT COUNT(*) FROM records WHERE request_id LIKE 'req_00000000%'").fetchone()[0], [
            name for (name,) in tables
        ]
    finally:
        connection.close()


def n_listed(text: str) -> int:
    """Rows of the table of decisions."""
    return text.count('href="/dashboard/decisions/req_')


def test_filters_pages_and_columns_of_the_dashboard(stand: Stand, cookie: str) -> None:
    before = inside(stand.folder)
    assert before[0] == N
    _, all_of_them, _ = send(stand, "/dashboard/decisions", cookie=cookie)
    assert n_listed(all_of_them) == N
    for said in CORPUS:
        for name in (*FILTERS, *EXTRA):
            for page in ("/decisions", "", "/models", "/evidence", "/routers"):
                if page and page != "/decisions" and name in EXACT:
                    continue
                status, text, _ = send(stand, f"/dashboard{page}?{urlencode({name: said})}", cookie=cookie)
                assert status in MAY_BE, (page, name, said)
                if page == "/decisions" and name in EXACT:
                    assert n_listed(text) == 0, (name, said)
        status, _, _ = send(stand, f"/dashboard/decisions/{quote(said, safe='')}", cookie=cookie)
        assert status in (400, 404), said
        for form in ("keys/create", "keys/revoke", "routers/promote"):
            body = urlencode({"name": said, "form_token": said, "models": said}).encode()
            status, _, _ = send(stand, f"/dashboard/{form}", cookie=cookie, body=body, method="POST")
            assert status in MAY_BE, (form, said)
    assert inside(stand.folder) == before


def test_keys_model_names_ids_and_feedback(stand: Stand) -> None:
    before = inside(stand.folder)
    for said in CORPUS:
        as_header = said.replace("\x00", "").encode("ascii", "replace").decode()
        for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/route"):
            body = json.dumps(
                {"model": said, "input": said, "messages": [{"role": "user", "content": said}], "user": said}
            )
            for key in (as_header, "client-key-of-ci"):
                status, _, _ = send(stand, path, key=key, body=body.encode(), method="POST")
                assert status in (MAY_BE - {200}), (path, said)
        for path in (f"/v1/models/{quote(said, safe='')}", f"/v1/decisions/{quote(said, safe='')}"):
            status, _, _ = send(stand, path)
            assert status in (400, 404), (path, said)
        feedback = json.dumps({"request_id": said, "score": 1, "comment": said, "label": said}).encode()
        status, _, _ = send(stand, "/v1/feedback", body=feedback, method="POST")
        assert status in (MAY_BE - {200}), said
    assert inside(stand.folder) == before
