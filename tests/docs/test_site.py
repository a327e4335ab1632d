"""The site hangs together: every page can be found, and every link leads somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.pages import DOCS, ROOT, anchors, links, navigation, pages, slug


def test_every_page_is_in_the_menu_once_and_the_menu_names_no_other() -> None:
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    named = navigation()
    assert sorted(named) == sorted(there)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    broken = []
    for link in links(page):
        if link.target.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = link.target.partition("#")
        aim = page if file == "" else (page.parent / file).resolve()
        outside = page.is_relative_to(DOCS) and not aim.is_relative_to(DOCS)
        if outside or not aim.exists() or (anchor != "" and anchor not in anchors(aim)):
            broken.append(str(link))
    assert broken == []


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [("What an upstream does", "what-an-upstream-does"), ("`models[].price`", "modelsprice"), ("E–F — G", "ef-g")],
)
def test_anchors_are_those_of_the_site(heading: str, anchor: str) -> None:
    assert slug(heading.replace("`", "")) == anchor


def test_pages_begin_with_their_title() -> None:
    assert [str(page) for page in pages() if not page.read_text(encoding="utf-8").lstrip().startswith("# ")] == []
