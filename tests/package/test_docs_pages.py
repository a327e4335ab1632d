"""The generated pages say something: a page can be up to date and empty."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_command_line_page_has_every_command_with_its_options() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    for command in ("demo", "init", "serve", "route", "import", "collect", "label", "tune", "report", "gate", "doctor"):
        assert f"## pointsman {command}\n" in page
    assert "## pointsman config show\n" in page
    assert "| `--max-quality-loss` |" in page
    assert page.count("\n| `") > 60
    assert page.count("```sh\npointsman ") > 10
