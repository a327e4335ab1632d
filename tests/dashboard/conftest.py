"""One gateway and one Chromium for all tests of the pages; every test has a browser context of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright
from tests.dashboard.corpus import HOSTILE, hostile_records
from tests.dashboard.stand import ADMIN_KEY, Stand, config, running
from tests.dashboard.traffic import records
from tests.report.samples import sample

from pointsman import score

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A gateway over 300 ordinary and all hostile records, with a store of two artifacts and an evaluation."""
    folder = tmp_path_factory.mktemp("dashboard")
    store = folder / "routers"
    for name in ("one", "two"):
        shutil.copytree(Path(score.__file__).parent / score.BUILTIN, store / name)
    evaluation = sample()
    evaluation["verdict"]["reason"] = HOSTILE[0]
    evaluation["policies"][0]["name"] = evaluation["verdict"]["policy"] = HOSTILE[1][:60]
    (folder / "evidence.json").write_text(json.dumps(evaluation), encoding="utf-8")
    settings = config(folder, dashboard={"store": str(store), "evidence": str(folder / "evidence.json")})
    now = datetime.now(UTC)
    written = [*records(300, until=now, over=timedelta(hours=20)), *hostile_records(now)]
    with running(folder, records=written, settings=settings) as running_stand:
        yield running_stand


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium.

    Not for the whole session: while Playwright is open its event loop runs in this thread, where no test with a loop of
    its own could.
    """
    if not Path(CHROMIUM).exists():
        pytest.fail(f"these tests need {CHROMIUM}: apt-get install chromium, or `make test` as root, which does it")
    with sync_playwright() as playwright:
        # Without a sandbox of its own where root runs it, as in containers.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Visitor:
    """A page of a browser, with what it complained of."""

    page: Page
    stand: Stand
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """To a page of the dashboard."""
        self.page.goto(self.stand.dashboard + path)

    def sign_in(self) -> None:
        """As the admin."""
        self.go("/sign-in")
        self.page.get_by_label("Admin key").fill(ADMIN_KEY)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.stand.dashboard}*")


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser without cookies."""
    opened = chromium.new_context()
    yield opened
    opened.close()


@pytest.fixture
def visitor(context: BrowserContext, stand: Stand) -> Iterator[Visitor]:
    """A visitor who is not signed in; at the end, the browser must not have complained."""
    found = Visitor(context.new_page(), stand)

    def heard(message: Any) -> None:
        if message.type in ("error", "warning"):
            found.complaints.append(message.text)

    def asked(dialog: Dialog) -> None:
        found.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    found.page.on("console", heard)
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("dialog", asked)
    yield found
    assert found.complaints == []


@pytest.fixture
def admin(visitor: Visitor) -> Visitor:
    """A visitor who is signed in."""
    visitor.sign_in()
    return visitor
