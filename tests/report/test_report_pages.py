"""Reports built whole: the numbers stand in them, nothing in the data can act, what is missing does no harm."""

from __future__ import annotations

import datetime
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pointsman.errors import DataError
from pointsman.report import Misroute, Moved, Provenance, Report, build, write
from pointsman.report.html import html, named, style_hash
from pointsman.report.markdown import markdown
from pointsman.report.page import page
from pointsman.report.prose import headlines, verdict_sentence
from pointsman.report.reading import read

from .samples import CHEAP, STRONG, sample

DATE = datetime.date(2026, 11, 23)
NBSP = "\u00a0"
HOSTILE = (
    "<script>window.hit=1</script>",
    "</style><script>window.hit=1</script>",
    "\"><img src=x onerror='window.hit=1'>",
    "'-alert(1)-'",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "]]><svg onload=window.hit=1>",
    "&lt;script&gt;",
    "<!-- --><iframe srcdoc='<script>1</script>'>",
    "a|b\n## heading\n![x](https://example.org/x.png)",
    "````\n<b>out of the fence</b>",
    "datum.x]; alert(1); [",
    "\x00\x1b[31m\u202eevil\ud800",
)


def misroute(**changes: Any) -> Misroute:
    fields: dict[str, Any] = {
        "prompt_id": "q-17",
        "dataset": "contracts",
        "served": CHEAP,
        "ideal": STRONG,
        "scores": {CHEAP: 0.0, STRONG: 1.0},
        "costs_usd": {CHEAP: 0.0002, STRONG: 0.004},
        "p_good": 0.93,
        "prompt": "Which clause of the lease allows the tenant to sublet?",
    }
    return Misroute(**{**fields, **changes})


PROVENANCE = Provenance(
    router="linear 0.3.1",
    code_hash="ab12" * 16,
    versions={"numpy": "2.4.6"},
    command="pointsman evaluate evals --models small-1,large-9",
    sources=("evals/faq (CC BY 4.0)",),
    seeds={"training": 3},
    out_of_sample=True,
)


def built(evaluation: dict[str, Any], **changes: Any) -> Report:
    fields: dict[str, Any] = {
        "misroutes": [misroute()],
        "moved": [Moved("asks for a proof", -0.82, 0.1), Moved("is a short question", 0.61, 0.4)],
        "provenance": PROVENANCE,
        "date": DATE,
    }
    return build(evaluation, **{**fields, **changes})


def written(evaluation: dict[str, Any], **changes: Any) -> tuple[str, str]:
    """HTML and Markdown without figures, which take most of the time."""
    fields: dict[str, Any] = {"misroutes": [misroute()], "moved": (), "provenance": PROVENANCE, "date": DATE}
    content = page(read(evaluation), (), title="Routing report", **{**fields, **changes})
    return html(content), markdown(content)


@pytest.fixture(scope="module")
def whole() -> Report:
    return built(sample())


class Page(HTMLParser):
    """Everything in a page that could act or load."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def assert_inert(page: str) -> None:
    """No script, no handler, no inline style, nothing that loads; and a policy that would stop all of it."""
    parsed = Page(page)
    assert not {"script", "iframe", "img", "object", "embed", "base", "form", "a", "image", "use"} & set(parsed.tags)
    assert parsed.tags.count("style") == 1
    assert not [each for each in parsed.attributes if each[1].startswith("on") or each[1] in {"style", "href", "src"}]
    styles = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert styles is not None
    assert not re.search(r"@import|url\(", styles.group(1))
    policy = next(value for tag, name, value in parsed.attributes if tag == "meta" and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert style_hash(styles.group(1)) in policy


def test_the_golden_numbers_stand_in_both(whole: Report) -> None:
    shown = Page(whole.html).text
    for number in (
        f"62{NBSP}%",  # saved: 1 - 0.0015 / 0.004
        "−0.7 points".replace(" ", NBSP),  # 0.893 - 0.9
        "−1.2 to −0.2",
        "$2.50 saved",  # 1,000 × (0.004 - 0.0015)
        "$1.50 instead of $4.00",
        "7 fewer good answers (2 to 12 fewer)",
        "0.712",
        f"89.3{NBSP}%",
        "q-17",
        "1,200 measured, 1,190 different, 34 left out",
    ):
        assert number in shown, number
        assert number in whole.markdown.replace("\\", ""), number
    assert "c0ffee" * 10 in shown
    assert "ab12" * 16 in shown
    assert "evaluation 7, training 3" in shown
    assert "2026-11-23" in shown


def test_the_verdict_stands_on_top(whole: Report) -> None:
    expected = f"Routing saves 62{NBSP}% of the cost of {STRONG}, for 0.7 points less quality."
    assert whole.verdict == expected
    heading = re.search(r"<h1>(.*?)</h1>", whole.html)
    assert heading is not None
    assert heading.group(1) == expected.replace(f"{STRONG},", f'<span class="name"><bdi>{STRONG}</bdi>,</span>')
    assert whole.markdown.startswith(f"# {expected}")


def test_the_confusion_of_two_models_follows_from_recall_and_counts(whole: Report) -> None:
    # 1,000 prompts ideal for the cheap model, 60 % of them sent there; 200 for the strong one, 70 %.
    text = Page(whole.html).text
    for count in ("600", "400", "60", "140"):
        assert re.search(rf"\b{count}\b", text), count


def test_the_page_can_do_nothing(whole: Report) -> None:
    assert_inert(whole.html)
    assert "http:" not in whole.html
    assert "https:" not in whole.html


def test_figures_exist_and_stand_alone(whole: Report) -> None:
    assert [each.name for each in whole.figures] == ["cost-quality", "by-task", "calibration", "what-moved"]
    for each in whole.figures:
        assert each.png.startswith(b"\x89PNG\r\n")
        assert len(each.png) > 5000
        assert each.file.startswith("<svg")
        assert 'xmlns="http://www.w3.org/2000/svg"' in each.file
        assert each.title in each.file
        assert each.alt
        assert "<path" in each.file
    curve = whole.figures[0]
    for label in (
        "threshold (99 % of strong)",
        f"always {CHEAP}",
        "oracle (knows the answers)",
        "task mean",
        "shuffled",
    ):
        assert label in curve.file.replace(NBSP, " "), label
    assert "Random routing" in curve.wide


def test_ids_are_unique_on_the_page(whole: Report) -> None:
    ids = [value for _, name, value in Page(whole.html).attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_same_input_gives_the_same_bytes(whole: Report) -> None:
    assert built(sample()) == whole


def test_hostile_data_stays_text() -> None:
    for names in (HOSTILE[:7], HOSTILE[6:]):
        evaluation = sample(models=[names[0], names[1]], warnings=list(names), data_hash=names[2])
        evaluation["policies"][0]["name"] = evaluation["verdict"]["policy"] = names[3]
        evaluation["verdict"]["reason"] = " ".join(names)
        for number, row in enumerate(evaluation["per_dataset"]):
            row["dataset"] = names[number]
            row["models"] = {names[0]: {"quality": 0.8}, names[1]: {"quality": 0.9}}
        evaluation["controls"][0]["name"] = f"always:{names[0]}"
        evaluation["controls"][1]["name"] = f"always:{names[1]}"
        evaluation["calibration"][0]["model"] = names[4]
        evaluation["agreement"]["per_model"][0]["model"] = names[5]
        made = built(
            evaluation,
            title=names[6],
            misroutes=[
                misroute(prompt=text, prompt_id=text, dataset=text, served=text, scores={text: 0.0, STRONG: 1.0})
                for text in names
            ],
            moved=[Moved(text, 0.1 * (place + 1)) for place, text in enumerate(names)],
            provenance=Provenance(
                router=names[0], code_hash=names[1], versions={names[2]: names[3]}, command=names[4], sources=names
            ),
        )
        assert_inert(made.html)
        assert "\x1b" not in made.html + made.markdown
        assert "\u202e" not in made.html + made.markdown
        for figure in made.figures:
            assert_inert_drawing(figure.file)
        assert_plain_markdown(made.markdown, n_figures=4, n_prompts=len(names))


def assert_plain_markdown(text: str, *, n_figures: int, n_prompts: int) -> list[Token]:
    """Nothing but headings, paragraphs, lists, tables, the figures and the prompts in fences."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    kinds = {token.type for token in tokens}
    assert not {"html_block", "code_block", "hr", "lheading_open", "blockquote_open"} & kinds
    assert sum(token.type == "fence" for token in tokens) == n_prompts
    children = [child for token in tokens for child in token.children or ()]
    assert {each.type for each in children} <= {
        "text",
        "text_special",
        "strong_open",
        "strong_close",
        "image",
        "softbreak",
    }
    sources = [str(each.attrs["src"]) for each in children if each.type == "image"]
    assert len(sources) == n_figures
    assert all(re.fullmatch(r"figures/[a-z-]+\d?\.png", each) for each in sources)
    return tokens


def test_the_markdown_is_read_as_meant(whole: Report) -> None:
    tokens = assert_plain_markdown(whole.markdown, n_figures=4, n_prompts=1)
    assert sum(token.type == "table_open" for token in tokens) == 4
    assert sum(token.type == "h1" or (token.type == "heading_open" and token.tag == "h1") for token in tokens) == 1
    headings = [
        tokens[place + 1].content for place, token in enumerate(tokens) if token.tag == "h2" and token.nesting == 1
    ]
    assert headings[:2] == ["Before you rely on this", "What each dollar buys"]
    assert "Where the numbers come from" in headings
    rows = [line for line in whole.markdown.splitlines() if line.startswith("| **threshold")]
    assert rows[0].replace(NBSP, " ").startswith("| **threshold (99 % of strong)** | 89.3 % (87.3 to 91.3 %) | −0.7 ")


def test_template_marks_in_data_are_text() -> None:
    page_text, markdown_text = written(
        sample(), misroutes=[misroute(prompt="{{ 7 * 7 }}{% raw %}", dataset="{{ page.title }}")]
    )
    assert "{{ 7 * 7 }}{% raw %}" in page_text
    assert "{{ 7 * 7 }}{% raw %}" in markdown_text
    assert "{{ page.title }}" in page_text


def assert_inert_drawing(drawing: str) -> None:
    assert set(re.findall(r"<([a-zA-Z]+)", drawing)) <= {
        "svg",
        "g",
        "path",
        "rect",
        "line",
        "text",
        "tspan",
        "title",
        "defs",
        "clipPath",
    }
    tags = re.findall(r"<[a-zA-Z][^>]*>", drawing)
    assert not [
        tag for tag in tags if re.search(r"""\s(on\w+|style|href|xlink:href)=""", re.sub(r'"[^"]*"', '""', tag))
    ]


def test_prompts_left_out_are_nowhere() -> None:
    page_text, markdown_text = written(sample(), misroutes=[misroute(prompt=None)])
    assert "sublet" not in page_text + markdown_text
    assert "q-17" in page_text


def test_long_prompts_are_cut() -> None:
    page_text, _ = written(sample(), misroutes=[misroute(prompt="lease " * 5000)])
    assert "more characters)" in page_text
    assert len(page_text) < 60_000


def test_the_worst_misroute_comes_first_and_right_decisions_are_none() -> None:
    page_text, _ = written(
        sample(),
        misroutes=[
            misroute(prompt_id="dear", served=STRONG, ideal=CHEAP, scores={CHEAP: 1.0, STRONG: 1.0}),
            misroute(prompt_id="lost"),
            misroute(prompt_id="right", served=STRONG),
        ],
    )
    assert page_text.index("lost</bdi>") < page_text.index("dear</bdi>")
    assert "as good for $0.0038 less" in page_text
    assert "right</bdi>" not in page_text


def test_without_prices_strong_calls_stand_in() -> None:
    evaluation = sample(curve_axis="strong_share", curve=[[0.0, 0.8], [0.5, 0.88], [1.0, 0.9]])
    for line in (*evaluation["policies"], *evaluation["controls"], *evaluation["policies"][0]["operating_points"]):
        line.update(cost_usd=None, savings=None, savings_ci=None)
    made = built(evaluation)
    assert made.verdict == f"Routing avoids 62{NBSP}% of the calls to {STRONG}, for 0.7 points less quality."
    assert "What each strong call buys" in made.html
    assert "$" not in Page(made.html).text.replace("dollars", "")
    assert "No cost is known" in made.html


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (
            f"always:{CHEAP}",
            f"Routing is not needed: use {CHEAP} for everything. It costs 95{NBSP}% less than {STRONG}.",
        ),
        (f"always:{STRONG}", f"Routing does not help here: use {STRONG} for everything."),
    ],
)
def test_verdicts_between_models(policy: str, sentence: str) -> None:
    verdict = {"routing_helps": False, "policy": policy, "saves": 0.95, "reason": "Use it.", "operating_point": None}
    assert verdict_sentence(read(sample(verdict=verdict))) == sentence


def test_what_is_not_advised_is_said_to_be() -> None:
    verdict = {"routing_helps": False, "policy": f"always:{STRONG}", "saves": 0.0, "reason": "Use it."}
    page_text, _ = written(sample(verdict=verdict))
    assert "Not advised: what threshold (99 % of strong) would have given." in page_text
    assert 'class="headlines tried"' in page_text


def test_no_loss_is_said_with_its_bound() -> None:
    evaluation = sample()
    evaluation["policies"][0]["operating_points"][0].update(quality_delta=-0.001, quality_delta_ci=[-0.004, 0.002])
    assert "with no measurable loss of quality (at most 0.4 points)" in verdict_sentence(read(evaluation))


def test_the_verdicts_operating_point_is_the_headlines() -> None:
    evaluation = sample()
    evaluation["verdict"]["operating_point"] = "parity"
    assert headlines(read(evaluation))[0].value == f"25{NBSP}%"  # 1 - 0.003 / 0.004


def test_honest_warnings_are_shown() -> None:
    evaluation = sample(n=120, n_groups=120, n_left_out=0, warnings=[])
    evaluation["calibration"][0]["ece_equal_mass"] = 0.09
    shown = Page(written(evaluation, provenance=Provenance(out_of_sample=False))[0]).text
    assert "In-sample" in shown
    assert "120 prompts are few" in shown
    assert "off by 9.0 points on average" in shown
    assert "The mean hides a loss on contracts: −3.0 points (−4.0 to −2.0)" in shown


def test_a_router_that_knows_no_more_than_the_task_is_said_to() -> None:
    evaluation = sample()
    evaluation["controls"][5]["apgr"] = 0.8
    assert "Knowing the task alone does better (APGR 0.800) than threshold (0.712)" in written(evaluation)[0]


def test_names_are_marked_whole_and_escaped() -> None:
    assert named("a-1 & a-10, not xa-1", ["a-1", "a-10"]) == (
        '<span class="name"><bdi>a-1</bdi></span> &amp; <span class="name"><bdi>a-10</bdi>,</span> not xa-1'
    )
    assert named("use <b>", ["<b>"]) == 'use <span class="name"><bdi>&lt;b&gt;</bdi></span>'
    assert named("<i>", []) == "&lt;i&gt;"


def test_a_report_without_anything_to_warn_of_has_no_warnings() -> None:
    evaluation = sample(warnings=[], per_dataset=[])
    assert "Before you rely on this" not in written(evaluation)[0]


@pytest.mark.parametrize(
    "gone", ["calibration", "agreement", "per_dataset", "curve", "verdict", "warnings", "controls"]
)
def test_a_missing_part_is_left_out(gone: str) -> None:
    made = built(sample(**{gone: ...}), moved=[], misroutes=[])
    assert_inert(made.html)
    assert "None" not in Page(made.html).text
    assert "nan" not in Page(made.html).text.lower().replace("finance", "")


def test_one_data_set_has_its_row_and_no_figure() -> None:
    evaluation = sample()
    del evaluation["per_dataset"][1:]
    made = built(evaluation)
    assert "by-task" not in [each.name for each in made.figures]
    assert "faq" in made.html
    assert "All prompts come from one data set" in made.html


def test_a_given_calibration_takes_the_place_of_the_evaluations() -> None:
    other = [{"model": "other-model", "ece_equal_mass": 0.01, "diagram": [{"p": 0.5, "score": 0.5, "n": 10}]}]
    made = built(sample(), calibration=other)
    assert "other-model: on the dashed line" in made.html
    assert "calibration" not in [each.name for each in built(sample(), calibration=[]).figures]


_leaves = st.one_of(st.none(), st.just(math.nan), st.just(math.inf), st.booleans(), st.text(max_size=8), st.floats())


def _paths(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, inner in items for each in _paths(inner, (*path, key)))]


PATHS = [each for each in _paths(sample()) if each and each != ("models",)]


def _changed(changes: list[tuple[tuple[Any, ...], Any]]) -> dict[str, Any]:
    """The sample with the values at these paths replaced; paths that an earlier change cut off are passed over."""
    evaluation = sample()
    for path, value in changes:
        place: Any = evaluation
        for key in path[:-1]:
            place = place[key] if isinstance(place, (dict, list)) else None
        if isinstance(place, (dict, list)):
            place[path[-1]] = value
    return evaluation


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PATHS), _leaves), min_size=1, max_size=12))
def test_any_value_may_be_missing_or_nonsense(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    try:
        evidence = read(_changed(changes))
    except DataError:
        return
    made = page(evidence, (), title="Report", date=DATE, misroutes=[misroute()], moved=(), provenance=PROVENANCE)
    assert_inert(html(made))
    assert markdown(made)
    for each in headlines(evidence):
        assert not {"nan", "inf", "None"} & set(re.findall(r"\w+", each.value + each.interval))


@pytest.mark.parametrize("value", [1e300, -1e300, 5e-324, 1e-300])
def test_figures_bear_extreme_numbers(value: float) -> None:
    evaluation = sample()
    evaluation["curve"][2] = [value, value]
    evaluation["policies"][0].update(cost_usd=value, quality=value, quality_ci=[-value, value])
    evaluation["per_dataset"][0]["policy"]["quality"] = value
    evaluation["calibration"][0]["diagram"][0].update(p=value, score=value)
    assert len(built(evaluation).figures) == 4


def test_a_report_of_nulls_is_still_a_report() -> None:
    evaluation = sample(n=None, data_hash=None, seed=None, verdict=None, calibration=None, agreement=None)
    for line in (*evaluation["policies"], *evaluation["controls"]):
        for name in line:
            if name not in {"name", "kind"}:
                line[name] = math.nan
    made = build(evaluation, date=DATE)
    assert_inert(made.html)
    assert made.verdict == "No verdict: the evaluation does not hold one."


@pytest.mark.parametrize("other", [{}, {"models": ["a", "b"]}, {"policies": [{"name": "x"}]}, []])
def test_what_is_no_evaluation_is_refused(other: Any) -> None:
    with pytest.raises(DataError, match="evaluat"):
        build(other, date=DATE)


def test_files_are_written_and_written_over(whole: Report, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    first = write(whole, folder)
    assert first.html.read_text("utf-8") == whole.html
    assert first.markdown.read_text("utf-8") == whole.markdown
    assert len(first.figures) == 8
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", whole.markdown):
        assert (folder / target).stat().st_size > 0
    (folder / "notes.txt").write_text("mine")
    first.html.write_text("older")
    assert write(whole, folder) == first
    assert first.html.read_text("utf-8") == whole.html
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert names == {"report.html", "report.md", "notes.txt"} | {path.name for path in first.figures}


def test_a_folder_that_cannot_be_made_is_said(whole: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write(whole, tmp_path / "file" / "report")


def test_a_failed_write_leaves_the_earlier_report(whole: Report, tmp_path: Path) -> None:
    paths = write(whole, tmp_path)
    earlier = paths.html.read_bytes()
    paths.html.unlink()
    (tmp_path / "report.html").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write(whole, tmp_path)
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]
    (tmp_path / "report.html").rmdir()
    assert write(whole, tmp_path).html.read_bytes() == earlier


def test_the_evaluation_can_come_from_json(whole: Report) -> None:
    assert built(json.loads(json.dumps(sample()))) == whole
