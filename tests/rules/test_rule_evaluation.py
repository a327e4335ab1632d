"""Rules against requests: what fires, what decides, and what is said about it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import ConfigError
from pointsman.rules import builtin_yaml, load_builtin, load_file, parse
from pointsman.vocabulary import Dialect, Hints, Request, Role, RuleOutcome, RulesResult, TaskKind, Turn


def request(
    prompt: str = "When do you open?",
    *,
    system: str = "",
    before: tuple[Turn, ...] = (),
    n_prompt_tokens: int = 12,
    n_total_tokens: int = 40,
    tools: tuple[str, ...] = (),
    json_output: bool = False,
    json_schema: bool = False,
    max_output_tokens: int | None = None,
    n_images: int = 0,
    key_id: str | None = None,
    tags: tuple[str, ...] = (),
) -> Request:
    turns = (*([Turn(Role.SYSTEM, system)] if system else []), *before, Turn(Role.USER, prompt))
    return Request(
        dialect=Dialect.OPENAI_CHAT,
        endpoint="/v1/chat/completions",
        model="auto",
        raw=b"{}",
        body={},
        turns=turns,
        tools=tools,
        json_output=json_output,
        json_schema=json_schema,
        max_output_tokens=max_output_tokens,
        n_images=n_images,
        n_prompt_tokens=n_prompt_tokens,
        n_total_tokens=n_total_tokens,
        key_id=key_id,
        hints=Hints(tags=tags),
    )


def outcome(when: dict[str, object], seen: Request) -> RuleOutcome:
    return parse([{"name": "r", "when": when, "use": "cheap"}]).evaluate(seen).outcomes[0]


def test_the_example_of_the_design_fires_and_names_the_numbers_it_saw() -> None:
    rules = parse(
        [
            {
                "name": "short faq",
                "when": {"max_prompt_tokens": 60, "no_code": True, "turns": 1},
                "use": "cheap",
                "mode": "enforce",
            }
        ]
    )
    result = rules.evaluate(request(n_prompt_tokens=12))
    assert result.enforced == RuleOutcome("short faq", "cheap", "enforce", True, "12 tokens ≤ 60, no code, 1 turn")


def test_a_rule_that_does_not_fire_names_the_first_condition_that_failed() -> None:
    seen = outcome({"turns": 1, "max_prompt_tokens": 60, "no_code": True}, request(n_prompt_tokens=340))
    assert seen == RuleOutcome("r", "cheap", "enforce", False, "340 tokens > 60")


def test_the_first_enforced_rule_decides_and_observed_rules_only_report() -> None:
    rules = parse(
        [
            {"name": "watched", "when": {}, "use": "strong", "mode": "observe"},
            {"name": "miss", "when": {"min_turns": 5}, "use": "strong"},
            {"name": "first", "when": {"turns": 1}, "use": "cheap"},
            {"name": "second", "when": {}, "use": "strong"},
        ]
    )
    result = rules.evaluate(request())
    assert result.enforced is not None
    assert result.enforced.rule == "first"
    assert [(one.rule, one.fired) for one in result.outcomes] == [
        ("watched", True),
        ("miss", False),
        ("first", True),
        ("second", True),
    ]


def test_no_rule_no_decision() -> None:
    assert parse([]).evaluate(request()) == RulesResult(TaskKind.SHORT_QUESTION, None, ())


BUILTIN = load_builtin()

TOOL_TURN = Turn(Role.TOOL, "42")
CALL_TURN = Turn(Role.ASSISTANT, "", tool_calls=("search",))


@pytest.mark.parametrize(
    ("when", "seen", "fires", "why"),
    [
        ({"min_prompt_tokens": 12}, request(), True, "12 tokens ≥ 12"),
        ({"min_prompt_tokens": 13}, request(), False, "12 tokens < 13"),
        ({"min_total_tokens": 41}, request(), False, "40 tokens < 41"),
        ({"max_total_tokens": 40}, request(), True, "40 tokens ≤ 40"),
        ({"turns": 2}, request(), False, "1 turn, not 2"),
        ({"min_turns": 2}, request(before=(Turn(Role.USER, "hi"), Turn(Role.ASSISTANT, "yes?"))), True, "2 turns ≥ 2"),
        ({"max_turns": 0}, request(), False, "1 turn > 0"),
        ({"min_tool_turns": 1}, request(before=(CALL_TURN, TOOL_TURN)), True, "1 tool answer ≥ 1"),
        ({"prompt_matches": r"\bINV-\d{6}\b"}, request("see inv-123456"), True, r"prompt matches /\bINV-\d{6}\b/"),
        ({"prompt_matches": "refund"}, request(), False, "prompt does not match /refund/"),
        ({"prompt_matches": "a" * 50}, request("a" * 60), True, "prompt matches /" + "a" * 40 + "…/"),
        ({"system_matches": "^you are"}, request(system="You are terse."), True, "system prompt matches /^you are/"),
        ({"any_matches": "boiler"}, request(before=(Turn(Role.USER, "my boiler"),)), True, None),
        (
            {"prompt_keywords": ["refund", "opening hours"]},
            request("Opening  hours?"),
            True,
            'prompt has "opening hours"',
        ),
        ({"prompt_keywords": "art"}, request("start"), False, "prompt has none of: art"),
        ({"prompt_keywords": "退款"}, request("我想退款。"), True, 'prompt has "退款"'),
        ({"system_keywords": "support"}, request(system="Support desk"), True, 'system prompt has "support"'),
        ({"any_keywords": ["leak"]}, request(), False, "conversation has none of: leak"),
        ({"task": "short_question"}, request(), True, "task short_question"),
        ({"task": ["code", "maths"]}, request(), False, "task short_question, not code or maths"),
        ({"has_code": True}, request("```\nx\n```"), True, "code"),
        ({"no_code": False}, request("```\nx\n```"), True, "code"),
        ({"has_formula": True}, request("Solve x^2 = 9"), True, "a formula"),
        ({"no_formula": True}, request("Solve x^2 = 9"), False, "a formula"),
        ({"min_digits_share": 0.5}, request("ab 12 34"), True, "67% digits ≥ 50%"),
        ({"max_digits_share": 0.5}, request("ab 12 34"), False, "67% digits ≥ 50%"),
        ({"language": "de"}, request("Wie kann ich mein Passwort ändern?"), True, "language de"),
        ({"language": ["fr", "it"]}, request("Wie kann ich mein Passwort ändern?"), False, "language de, not fr or it"),
        ({"language": "en"}, request("42"), False, "language unsure, not en"),
        ({"script": ["han", "kana"]}, request("你好吗"), True, "script han"),
        ({"script": "greek"}, request("123"), False, "no letters, not greek"),
        ({"has_images": True}, request(n_images=1), True, "images"),
        ({"tools_offered": True}, request(), False, "no tools offered"),
        ({"tools_offered": ["search", "buy"]}, request(tools=("buy",)), True, "tool buy offered"),
        ({"tools_in_use": True}, request(before=(CALL_TURN,)), True, "tools in use"),
        ({"json_output": True}, request(json_output=True), True, "JSON demanded"),
        ({"json_schema": True}, request(json_output=True), False, "no JSON Schema demanded"),
        ({"min_output_tokens": 600}, request("Write 500 words on tea"), True, "667 tokens of output ≥ 600"),
        ({"max_output_tokens": 100}, request(max_output_tokens=64), True, "64 tokens of output ≤ 100"),
        ({"max_output_tokens": 100}, request(), False, "no output length asked for"),
        ({"max_output_tokens": 0}, request(max_output_tokens=0), True, "0 tokens of output ≤ 0"),
        ({"tags": ["batch", "night"]}, request(tags=("night",)), True, "tag night"),
        ({"endpoint": "/v1/messages"}, request(), False, "endpoint /v1/chat/completions, not /v1/messages"),
        ({"key": "team-a"}, request(), False, "no key"),
        ({"key": ["team-a"]}, request(key_id="team-a"), True, "key team-a"),
        ({"any": [{"turns": 3}, {"task": "short_question"}]}, request(), True, "task short_question"),
        ({"any": [{"turns": 3}, {"turns": 2}]}, request(), False, "none of: 1 turn, not 3; 1 turn, not 2"),
        ({"all": [{"turns": 1}, {"no_code": True}]}, request(), True, "1 turn, no code"),
        ({"not": {"has_code": True}}, request(), True, "no code"),
        ({"not": {"turns": 1}}, request(), False, "excluded: 1 turn"),
        ({}, request(), True, "no conditions"),
    ],
)
def test_each_condition(when: dict[str, object], seen: Request, fires: bool, why: str | None) -> None:
    result = outcome(when, seen)
    assert result.fired is fires
    assert why is None or result.why == why


def test_a_file_may_be_a_list_or_a_mapping_with_rules(tmp_path: Path) -> None:
    rule = "- {name: a, when: {turns: 1}, use: cheap}\n"
    (tmp_path / "list.yaml").write_text(rule)
    (tmp_path / "mapping.yaml").write_text("rules:\n" + rule)
    assert load_file(tmp_path / "list.yaml").names == load_file(str(tmp_path / "mapping.yaml")).names == ("a",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"- {name: a, when: {turns: 1}\n", "not valid YAML"),
        (b"\xff\xfe\xfa", "not valid YAML"),
        (b"just words", "expected a list of rules"),
        (b"", "expected a list of rules"),
        (
            b"- {name: a, when: {trns: 1}, use: cheap}",
            'when.trns: expected a condition of the rule language; did you mean "turns"?',
        ),
        (b"- 3", "expected a mapping with name, when and use"),
        (b"#" * 1_000_001, "at most 1,000,000 bytes"),
    ],
)
def test_a_wrong_file_is_refused_with_its_path(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"rules\.yaml") as raised:
        load_file(path)
    assert said in raised.value.message


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_file(tmp_path / "none.yaml")


def test_two_rules_of_one_name_are_refused() -> None:
    rule = {"name": "twin", "when": {}, "use": "cheap"}
    with pytest.raises(ConfigError, match='"twin" is taken'):
        parse([rule, rule])


def test_the_builtin_set_loads_uses_the_two_tiers_and_can_be_copied(tmp_path: Path) -> None:
    builtin = load_builtin()
    assert {rule.use for rule in builtin.rules} == {"cheap", "strong"}
    assert {rule.mode for rule in builtin.rules} == {"enforce", "observe"}
    copy = tmp_path / "mine.yaml"
    copy.write_text(builtin_yaml(), encoding="utf-8")
    assert load_file(copy).names == builtin.names


@pytest.mark.parametrize(
    ("seen", "rule"),
    [
        (request("When do you open on Sundays?"), "short faq"),
        (request("Extract name and date as JSON: Ana Silva, 3 May"), "simple extraction"),
        (request("Übersetze ins Englische: Guten Morgen"), "short translation"),
        (request("Prove that the sum of two odd integers is even."), "proof"),
        (request("Why does my Python service show a race condition between two workers?"), "hard debugging or design"),
        (request("Continue.", before=(CALL_TURN, TOOL_TURN) * 6), "long tool loop"),
    ],
)
def test_the_builtin_set_enforces_what_is_nearly_always_right(seen: Request, rule: str) -> None:
    result = load_builtin().evaluate(seen)
    assert result.enforced is not None
    assert result.enforced.rule == rule


def test_classification_is_only_observed_because_recorded_answers_did_not_bear_it_out() -> None:
    result = load_builtin().evaluate(request("Is this review positive or negative? 'Broke after a day.'"))
    assert result.enforced is None
    assert [outcome.rule for outcome in result.outcomes if outcome.fired] == ["simple classification"]


def test_a_short_word_problem_is_no_faq() -> None:
    result = load_builtin().evaluate(request("If 12 pens cost 18 euros, what do 30 pens cost?"))
    assert result.enforced is None


def test_the_builtin_set_leaves_an_exam_question_undecided() -> None:
    exam = "Which organelle makes ATP?\nA. nucleus\nB. mitochondrion\nC. ribosome\nD. vacuole\nAnswer:"
    result = load_builtin().evaluate(request(exam))
    assert result.enforced is None
    assert result.task_kind is TaskKind.REASONING


@given(prompt=st.text(max_size=300), system=st.text(max_size=100), n_tokens=st.integers(0, 10**7))
def test_any_text_gets_one_outcome_per_rule_and_the_first_enforced_one_decides(
    prompt: str, system: str, n_tokens: int
) -> None:
    builtin = BUILTIN
    result = builtin.evaluate(request(prompt, system=system, n_prompt_tokens=n_tokens))
    assert tuple(one.rule for one in result.outcomes) == builtin.names
    assert all(one.why for one in result.outcomes)
    fired = [one for one in result.outcomes if one.fired and one.mode == "enforce"]
    assert result.enforced == (fired[0] if fired else None)


_KEYWORDS = st.sampled_from(
    ["race condition", "deadlock", "clause", "clauses", "C++", "#x", "iss", "W\u00f6rter", "\u03bb"]
)
_SAID = st.sampled_from(
    [
        "race",
        "Race  Condition",
        "RACE\ncondition",
        "clauseS",
        "clauſe",
        "İss",
        "ıss",
        "adeadlock",
        "_Deadlock",
        "deadlock",
        "c++",
        "C++x",
        "#X",
        "wÖrter",
        "Λ",
        "“clause”",
        "1",
        " ",
        "é",
    ]
)


@given(
    st.lists(_KEYWORDS, min_size=1, max_size=4, unique=True), st.lists(_SAID, max_size=5), st.sampled_from(["", " "])
)
def test_keywords_are_found_as_a_pattern_without_case_finds_them(
    words: list[str], said: list[str], between: str
) -> None:
    def pattern(word: str) -> str:
        edges = [r"(?<!\w)" if word[0].isalnum() else "", r"(?!\w)" if word[-1].isalnum() else ""]
        return re.escape(word).replace(r"\ ", r"\s{1,5}").join(edges)

    text = between.join(said)
    expected = re.search("|".join(map(pattern, words)), text, re.IGNORECASE)
    found = outcome({"prompt_keywords": words}, request(text))
    if expected is None:
        assert not found.fired
    else:
        assert found.fired
        assert found.why == f'prompt has "{" ".join(expected[0].lower().split())}"'
