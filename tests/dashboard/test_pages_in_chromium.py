"""Every page and every action, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from tests.dashboard.corpus import HOSTILE
from tests.dashboard.stand import ADMIN_KEY

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from tests.dashboard.conftest import Visitor
    from tests.dashboard.stand import Stand

ORDINARY = f"req_{7:032x}"
PATHS = (
    "",
    "?span=7d",
    "?from=2026-11-01&to=2026-11-25",
    "/decisions",
    f"/decisions/{ORDINARY}",
    "/evidence",
    "/routers?a=one&b=two",
    "/models",
    "/keys",
)
SERIOUS = ("serious", "critical")


def test_signing_in_and_out(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/decisions?model=small")
    assert "/sign-in" in page.url
    page.get_by_label("Admin key").fill("not the key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the admin key.")
    # The browser tells of every answer that is no success.
    assert visitor.complaints == ["Failed to load resource: the server responded with a status of 401 (Unauthorized)"]
    visitor.complaints.clear()
    page.get_by_label("Admin key").fill(ADMIN_KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Decisions")
    assert page.url.endswith("/dashboard/decisions?model=small")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/dashboard")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert page.context.cookies() == []
    page.context.add_cookies([cookie])  # type: ignore[list-item]
    visitor.go("")
    assert "/sign-in" in page.url, "a session that was ended stays ended"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_in_both_schemes(admin: Visitor, path: str, scheme: Any) -> None:
    admin.page.emulate_media(color_scheme=scheme)
    admin.go(path)
    found = Axe().run(admin.page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found if each["impact"] in SERIOUS] == []


@pytest.mark.parametrize("path", [*PATHS, "/sign-in"])
def test_every_page_fits_a_phone(admin: Visitor, path: str) -> None:
    admin.page.set_viewport_size({"width": 360, "height": 740})
    admin.go(path)
    assert admin.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_overview_adds_up_and_explains_its_sum(admin: Visitor) -> None:
    page = admin.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.get_by_text("How the sum comes about").click()
    amounts = [float(re.sub(r"[^0-9.]", "", text)) for text in page.locator("table.sum td").all_text_contents()]
    baseline, calls, deciding, judging, comparing, saved = amounts
    assert baseline - calls - deciding - judging - comparing == pytest.approx(saved, abs=0.02)
    assert saved > 0
    page.get_by_text("As a table").click()
    hours = page.locator("section[aria-labelledby=h-cost] .scroll tbody tr td:nth-child(2)").all_text_contents()
    total = page.locator(".headlines div").nth(1).locator("strong").text_content()
    assert sum(int(text) for text in hours) == int(str(total).replace(",", ""))


def test_the_overview_renews_itself_while_it_is_looked_at(admin: Visitor) -> None:
    page = admin.page
    page.clock.install()
    admin.go("")
    with page.expect_response(lambda answer: answer.url == f"{admin.stand.dashboard}"):
        page.clock.run_for(6_000)
    expect(page.locator(".as-of")).to_be_visible()


def test_decisions_are_filtered_searched_and_paged(admin: Visitor) -> None:
    page = admin.page
    admin.go("/decisions?span=24h")
    page.get_by_label("Model").select_option("large")
    page.get_by_label("Status").select_option("ok")
    page.get_by_role("button", name="Show").click()
    served = page.locator("table.rows tbody tr td:nth-child(2) bdi").all_text_contents()
    assert set(served) == {"large"}
    assert "span=24h" in page.url
    admin.go("/decisions?key=alice")
    first = page.locator("table.rows tbody tr").first.text_content()
    page.get_by_role("link", name="Older").click()
    assert page.locator("table.rows tbody tr").first.text_content() != first
    page.get_by_role("link", name="Newest").click()
    assert page.locator("table.rows tbody tr").first.text_content() == first
    page.get_by_label("Search").fill(ORDINARY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2).first).to_have_text("Why")
    assert page.url.endswith(ORDINARY)
    admin.go("/decisions?q=nothing+has+these+words")
    expect(page.locator(".empty")).to_contain_text("Nothing found")


def test_a_decision_is_labelled_and_the_label_stands_in_the_ledger(admin: Visitor) -> None:
    page = admin.page
    admin.go(f"/decisions/{ORDINARY}")
    for heading in ("Why", "Alternatives", "Attempts", "Cost", "Label this", "Prompt and answer"):
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    page.get_by_label("Comment").fill("<b>should</b> have been cheap")
    page.get_by_role("button", name="Too strong").click()
    expect(page.locator(".said li").last).to_contain_text("too strong <b>should</b> have been cheap")
    admin.stand.ledger.flush()
    (said,) = admin.stand.ledger.reader.feedback(ORDINARY)
    assert (said["label"], said["comment"]) == ("too_strong", "<b>should</b> have been cheap")


def test_the_dial_previews_other_limits(admin: Visitor) -> None:
    page = admin.page
    admin.go("/evidence")
    slider = page.get_by_label("Allowed quality loss")
    words = page.locator("#limit-now")
    expect(words).to_contain_text("2.0 %")
    slider.focus()
    page.keyboard.press("End")
    expect(words).to_contain_text("20.0 %")
    expect(page.locator("tr.picked")).to_have_count(1)
    page.keyboard.press("Home")
    expect(words).to_contain_text("0.0 %: 100.0 % to the strongest")


def test_the_dial_is_a_table_without_script(chromium: Browser, stand: Stand, admin: Visitor) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        context.add_cookies(admin.page.context.cookies())  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(f"{stand.dashboard}/evidence")
        assert page.locator("#dial-rows tbody tr").count() == 11
        assert not page.locator(".dial").is_visible()


def test_an_artifact_is_promoted_and_the_promotion_undone(admin: Visitor) -> None:
    page, store = admin.page, admin.stand.folder / "routers"
    admin.go("/routers")
    for name in ("one", "two"):
        page.get_by_role("button", name=f"Promote {name}").click()
        expect(page.locator("tr.chosen th").first).to_contain_text(name)
        assert f'"{name}"' in (store / "latest").read_text()
    page.get_by_role("button", name="Undo the last promotion").click()
    expect(page.locator("tr.chosen th").first).to_contain_text("one")
    assert '"one"' in (store / "latest").read_text()
    expect(page.get_by_role("button", name="Undo the last promotion")).to_have_count(0)
    page.get_by_label("Card", exact=True).select_option("one")
    page.get_by_label("beside").select_option("two")
    page.get_by_role("button", name="Compare").click()
    assert page.locator("table.cards thead th").all_text_contents() == ["Field", "one", "two"]


def test_a_key_is_made_shown_once_and_revoked(admin: Visitor) -> None:
    page = admin.page
    admin.go("/keys")
    page.get_by_label("Name").fill("team-a")
    page.get_by_label("USD a day").fill("5")
    page.get_by_label("Ends").fill("30d")
    page.get_by_role("button", name="Make the key").click()
    secret = page.locator("#secret").text_content()
    assert secret is not None and secret.startswith("sk-pm-")
    answer = page.request.get(f"{admin.stand.url}/v1/models", headers={"x-api-key": secret})
    assert answer.status == 200
    admin.go("/keys")
    assert secret not in page.content()
    row = page.locator("tr", has_text="team-a")
    expect(row).to_contain_text("$5.00 a day")
    row.get_by_text("Revoke", exact=True).first.click()
    row.get_by_label("For good").check()
    row.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status").first).to_contain_text("team-a is revoked")
    answer = page.request.get(f"{admin.stand.url}/v1/models", headers={"x-api-key": secret})
    assert answer.status == 401


def test_models_show_prices_health_and_share(admin: Visitor) -> None:
    admin.go("/models")
    rows = admin.page.locator("main tbody tr")
    expect(rows.nth(0)).to_contain_text("small")
    expect(rows.nth(0)).to_contain_text("closed")
    shares = admin.page.locator("main tbody td:nth-of-type(5)").all_text_contents()
    assert sum(float(text.rstrip(" %")) for text in shares) == pytest.approx(100.0, abs=0.2)


def test_everything_is_reached_by_keyboard(admin: Visitor) -> None:
    page = admin.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    admin.go("")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(document.activeElement.textContent || document.activeElement.id).trim()"))
    wanted = page.locator("a:visible, button:visible, summary:visible").all_text_contents()
    assert {text.strip() for text in wanted} - reached == set()


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_texts_are_shown_and_never_obeyed(admin: Visitor, number: int) -> None:
    page = admin.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    admin.go(f"/decisions/req_{10_000 + number:032x}")
    shown = HOSTILE[number].replace("\x00", "�").replace("\ud800", "�")
    expect(page.locator("p.reason bdi")).to_have_text(shown, use_inner_text=False)
    assert page.locator("pre").last.text_content() == shown
    assert (
        page.evaluate("document.querySelectorAll('main script, main iframe, main img, main style, base').length") == 0
    )
    admin.go("/decisions?tag=hostile")
    assert page.locator("table.rows tbody tr").count() == len(HOSTILE)
    assert [url for url in asked if not url.startswith(admin.stand.url)] == []


def test_hostile_searches_come_back_as_text(admin: Visitor) -> None:
    for text in HOSTILE:
        cleaned = text.encode("utf-8", "replace").decode().replace("\x00", "")
        admin.page.goto(f"{admin.stand.dashboard}/decisions")
        admin.page.get_by_label("Search").fill(cleaned)
        admin.page.get_by_label("Tag").fill(cleaned)
        admin.page.get_by_role("button", name="Show").click()
        expect(admin.page.get_by_label("Search")).to_be_visible()


def test_colours_are_those_of_the_figures() -> None:
    from pointsman.report import palette

    style = (Path(__file__).parents[2] / "src/pointsman/dashboard/static/dashboard.css").read_text()
    light, dark = style.split("@media (prefers-color-scheme:dark)")
    for name in ("PAPER", "INK", "MUTED", "LINE", "GRID", "ACCENT", "ACCENT_SOFT", "GOOD", "BAD"):
        colour = getattr(palette, name)
        word = name.lower().replace("_", "-")
        assert f"--{word}:{colour.light};" in light
        assert f"--{word}:{colour.dark};" in dark
        assert f'[fill="{colour.light}"]{{fill:var(--{word})}}' in dark
