"""Sessions, forms and headers, over sockets: the matrix is made from the route table, so no page can be forgotten."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import pytest
from tests.dashboard.stand import ADMIN_KEY, config, running
from tests.dashboard.traffic import records

from pointsman.dashboard.guard import Rule
from pointsman.dashboard.routes import TABLE
from pointsman.gateway.access import PAGES, Access, access_to

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dashboard.stand import Stand

FILLED = {"{request_id}": f"req_{7:032x}", "{name}": "dashboard.css"}
WRONG_ORIGINS: tuple[Mapping[str, str], ...] = (
    {},
    {"Origin": "null"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://[", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)


class Answer:
    """One answer over a socket of its own."""

    def __init__(
        self,
        stand: Stand,
        method: str,
        path: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> None:
        connection = http.client.HTTPConnection(urlsplit(stand.url).netloc, timeout=30)
        sent = dict(headers or {})
        if fields is not None:
            body = urlencode(fields).encode()
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        self.status, self.headers, self.text = answer.status, answer.headers, answer.read().decode("utf-8", "replace")
        connection.close()

    @property
    def cookie(self) -> str:
        """The session that it began."""
        return self.headers["Set-Cookie"].partition(";")[0]


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    from datetime import UTC, datetime, timedelta

    folder = tmp_path_factory.mktemp("doors")
    with running(folder, records=records(20, until=datetime.now(UTC), over=timedelta(hours=1))) as opened:
        yield opened


@pytest.fixture(scope="module")
def session(stand: Stand) -> str:
    return Answer(stand, "POST", f"{PAGES}/sign-in", {"key": ADMIN_KEY}, own(stand)).cookie


def own(stand: Stand, cookie: str | None = None) -> dict[str, str]:
    """Headers of a form of our own."""
    return {"Origin": stand.url} | ({} if cookie is None else {"Cookie": cookie})


def token(stand: Stand, cookie: str) -> str:
    page = Answer(stand, "GET", f"{PAGES}/keys", headers={"Cookie": cookie}).text
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


def filled(path: str) -> str:
    for pattern, value in FILLED.items():
        path = path.replace(pattern, value)
    return path


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: f"{entry.method} {entry.path}")
def test_every_page_keeps_to_its_rule(stand: Stand, session: str, entry: object) -> None:
    from pointsman.dashboard.routes import Entry

    assert isinstance(entry, Entry)
    assert access_to(entry.path) is Access.PAGE
    path = filled(entry.path)
    forged = session[:-1] + ("0" if session[-1] != "0" else "1")
    over = f"pointsman_session=1.{'0' * 32}.{'0' * 64}"
    strangers: tuple[Mapping[str, str], ...] = (
        {},
        {"Cookie": forged},
        {"Cookie": over},
        {"Cookie": "pointsman_session="},
        {"Authorization": "Bearer client-key-of-ci"},
        # Keys in headers are for programs; a page takes a session only.
        {"Authorization": f"Bearer {ADMIN_KEY}"},
    )
    for headers in strangers:
        if entry.method == "GET":
            answer = Answer(stand, "GET", path, headers=headers)
            assert answer.status == (200 if entry.rule is Rule.OPEN else 303), headers
            assert entry.rule is Rule.OPEN or answer.headers["Location"].startswith(f"{PAGES}/sign-in?next=")
            assert entry.rule is Rule.OPEN or answer.text == ""
        elif entry.rule is not Rule.OPEN:
            assert Answer(stand, "POST", path, {"form_token": "0" * 64}, own(stand) | dict(headers)).status == 403
    if entry.method == "POST" and entry.rule is not Rule.OPEN:
        good = token(stand, session)
        for wrong in ("", "0" * 64, good[:-1]):
            assert Answer(stand, "POST", path, {"form_token": wrong}, own(stand, session)).status == 403
        for origin in WRONG_ORIGINS:
            sent = {"Cookie": session} | dict(origin)
            assert Answer(stand, "POST", path, {"form_token": good}, sent).status == 403, origin
    if entry.method == "GET" and entry.rule is not Rule.OPEN:
        assert Answer(stand, "GET", path, headers={"Cookie": session}).status == 200


def test_the_whole_table_is_served_and_nothing_beside_it(stand: Stand, session: str) -> None:
    for path in ("/dashboard/", "/dashboard/x", "/dashboard/static/../keys", "/dashboard/static/%2e%2e", "/dashboardx"):
        assert Answer(stand, "GET", path, headers={"Cookie": session}).status in (401, 404), path
    assert Answer(stand, "GET", f"{PAGES}/static/templates", headers={}).status == 404


@pytest.mark.parametrize("path", ["", "/sign-in", "/static/dashboard.js", "/decisions/none", "/decisions?span=never"])
def test_every_answer_keeps_to_itself(stand: Stand, session: str, path: str) -> None:
    headers = Answer(stand, "GET", PAGES + path, headers={"Cookie": session}).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == ("max-age=300" if "static" in path else "no-store")


def test_pages_hold_no_inline_script_or_style(stand: Stand, session: str) -> None:
    for entry in TABLE:
        if entry.method == "GET" and "static" not in entry.path:
            text = Answer(stand, "GET", filled(entry.path), headers={"Cookie": session}).text
            assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=|javascript:", text), entry.path


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("/dashboard/keys?a=b", "/dashboard/keys?a=b"),
        ("https://evil.example", "/dashboard"),
        ("//evil.example", "/dashboard"),
        ("/dashboard//evil.example", "/dashboard"),
        ("/dashboard\\evil.example", "/dashboard"),
        ("/dashboardx.example", "/dashboard"),
        ("/dashboard/\r\nSet-Cookie: a=b", "/dashboard"),
        ("/dashboard/sign-out", "/dashboard"),
    ],
)
def test_signing_in_leads_to_our_own_pages_only(stand: Stand, wanted: str, leads_to: str) -> None:
    answer = Answer(stand, "POST", f"{PAGES}/sign-in", {"key": ADMIN_KEY, "next": wanted}, own(stand))
    assert (answer.status, answer.headers["Location"]) == (303, leads_to)


def test_the_cookie_is_for_browsers_that_keep_it_to_themselves(stand: Stand) -> None:
    fields, headers = {"key": ADMIN_KEY}, own(stand)
    plain = Answer(stand, "POST", f"{PAGES}/sign-in", fields, headers).headers["Set-Cookie"]
    for word in ("HttpOnly", "SameSite=Strict", "Path=/dashboard", "Max-Age=43200"):
        assert word in plain
    behind = Answer(stand, "POST", f"{PAGES}/sign-in", fields, headers | {"X-Forwarded-Proto": "https"})
    assert "Secure" in behind.headers["Set-Cookie"] and "Secure" not in plain


def test_forms_have_bounds(stand: Stand, session: str) -> None:
    path, headers = f"{PAGES}/keys/create", own(stand, session)
    assert Answer(stand, "POST", path, body=b"{}", headers=headers | {"Content-Type": "application/json"}).status == 415
    form = headers | {"Content-Type": "application/x-www-form-urlencoded"}
    assert Answer(stand, "POST", path, body=b"a=" + b"b" * 65_536, headers=form).status == 413
    assert Answer(stand, "POST", path, body=b"a=1&a=2", headers=form).status == 400
    assert Answer(stand, "POST", path, body=b"&".join(b"f%d=1" % n for n in range(65)), headers=form).status == 400
    assert Answer(stand, "POST", path, body=b"a=%ff", headers=form).status == 400


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../x"),
        ("name", "admin"),
        ("name", "ci"),
        ("models", "gpt-none"),
        ("usd_per_day", "-1"),
        ("usd_per_day", "nan"),
        ("requests_per_min", "0"),
        ("expires", "2001-01-01"),
    ],
)
def test_a_key_that_will_not_do_is_refused(stand: Stand, session: str, field: str, value: str) -> None:
    fields = {"form_token": token(stand, session), "name": "good", field: value}
    assert Answer(stand, "POST", f"{PAGES}/keys/create", fields, own(stand, session)).status == 400
    page = Answer(stand, "GET", f"{PAGES}/keys", headers={"Cookie": session}).text
    assert "sk-pm-" not in page


def test_bad_actions_say_what_is_wrong(stand: Stand, session: str) -> None:
    good = {"form_token": token(stand, session)}
    for path, fields in (
        ("/keys/revoke", {"name": "nobody", "sure": "yes"}),
        ("/keys/revoke", {"name": "nobody"}),
        ("/routers/promote", {"artifact": "../../etc"}),
        ("/routers/undo", {}),
        (f"/decisions/req_{7:032x}/label", {"label": "wrong"}),
        (f"/decisions/req_{7:032x}/label", {"label": "too_cheap", "comment": "x" * 2_001}),
    ):
        answer = Answer(stand, "POST", PAGES + path, good | fields, own(stand, session))
        assert answer.status == 400 and 'role="alert"' in answer.text, path
    gone = Answer(stand, "POST", f"{PAGES}/decisions/none/label", good | {"label": "too_cheap"}, own(stand, session))
    assert gone.status == 404


def test_wrong_keys_are_slowed_down(tmp_path: Path) -> None:
    with running(tmp_path, settings=config(tmp_path, limits={"failed_auth_per_min": 3})) as stand:
        tried = [Answer(stand, "POST", f"{PAGES}/sign-in", {"key": "x"}, own(stand)).status for _ in range(5)]
        assert tried[:3] == [401, 401, 401] and tried[-1] == 429


def test_without_an_admin_key_nobody_gets_in_where_keys_are_asked_for(tmp_path: Path) -> None:
    keys = {"clients": [{"name": "ci", "key": "client-key-of-ci"}]}
    with running(tmp_path, settings=config(tmp_path, keys=keys)) as stand:
        assert Answer(stand, "GET", PAGES).status == 303
        assert "has no admin key" in Answer(stand, "GET", f"{PAGES}/sign-in").text
        assert Answer(stand, "POST", f"{PAGES}/sign-in", {"key": ""}, own(stand)).status == 401


def test_without_keys_the_pages_are_open_to_this_machine_and_to_no_other_site(tmp_path: Path) -> None:
    with running(tmp_path, settings=config(tmp_path, keys={})) as stand:
        assert Answer(stand, "GET", PAGES).status == 200
        assert Answer(stand, "GET", PAGES, headers={"Host": "rebound.example"}).status == 403
        page = Answer(stand, "GET", f"{PAGES}/keys").text
        found = re.search(r'name="form_token" value="([0-9a-f]{64})"', page)
        assert found is not None
        fields = {"form_token": found[1], "name": "first"}
        assert Answer(stand, "POST", f"{PAGES}/keys/create", fields, {"Origin": "http://evil.example"}).status == 403
        assert Answer(stand, "POST", f"{PAGES}/keys/create", fields | {"form_token": "0"}, own(stand)).status == 403
        made = Answer(stand, "POST", f"{PAGES}/keys/create", fields, own(stand))
        assert made.status == 200 and "sk-pm-" in made.text
        # With the first key, the gateway asks for keys, and there is no admin who could sign in.
        assert Answer(stand, "GET", PAGES).status == 303


def test_prompts_that_the_ledger_was_told_not_to_keep_are_not_shown(tmp_path: Path) -> None:
    import random
    from datetime import UTC, datetime

    from tests.dashboard import traffic

    told = traffic.one(1, datetime.now(UTC), random.Random(1), prompt=b'{"a":"my-secret"}', answer="my-secret too")
    settings = config(tmp_path, keys={}, ledger={"url": f"sqlite:///{tmp_path}/l.db", "store_prompts": False})
    with running(tmp_path, records=[told], settings=settings) as stand:
        text = Answer(stand, "GET", f"{PAGES}/decisions/req_{1:032x}").text
        assert "is told not to keep them" in text and "my-secret" not in text


def test_the_pages_can_be_turned_off(tmp_path: Path) -> None:
    with running(tmp_path, settings=config(tmp_path, keys={}, dashboard={"enabled": False})) as stand:
        assert Answer(stand, "GET", PAGES).status == 404
