"""Reading pointsman.yaml: what loads, and what every kind of mistake says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman import config
from pointsman.config.example import EXAMPLE
from pointsman.errors import ConfigError

KEYS = {"ANTHROPIC_API_KEY": "sk-ant-secret-value", "OPENAI_API_KEY": "sk-openai-secret-value"}
SMALL = """\
models:
  - {name: a, provider: sim}
  - {name: b, provider: sim}
tiers:
  - {name: cheap, models: [a]}
  - {name: strong, models: [b]}
"""


def faults(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """The lines of the error that a text raises."""
    with pytest.raises(ConfigError) as caught:
        config.loads(text, source="p.yaml", environ={} if environ is None else environ)
    return caught.value.message.splitlines()


def one_fault(text: str, environ: Mapping[str, str] | None = None) -> str:
    """The only line of the error that a text raises."""
    lines = faults(text, environ)
    assert len(lines) == 1, lines
    return lines[0]


def test_the_example_of_the_documentation_loads() -> None:
    loaded = config.loads(EXAMPLE, environ=KEYS)
    assert [model.name for model in loaded.models] == ["haiku", "opus", "gpt-4o"]
    assert loaded.tier_names() == ("cheap", "strong")
    assert loaded.tiers[1].models == ("opus", "gpt-4o")
    assert loaded.policies["auto"] == config.ThresholdPolicy(kind="threshold", max_quality_loss=0.01)
    assert loaded.rule_mappings() == [
        {
            "name": "short faq",
            "when": {"max_prompt_tokens": 60, "no_code": True, "turns": 1},
            "use": "cheap",
            "mode": "enforce",
        }
    ]
    assert loaded.baseline == "strong"


def test_what_is_not_given_has_a_default() -> None:
    loaded = config.loads(SMALL, environ={})
    assert loaded.default_policy == "auto"
    assert loaded.policies["auto"] == config.ThresholdPolicy(kind="threshold", max_quality_loss=0.01)
    assert loaded.baseline == "strong"
    assert (loaded.server.host, loaded.server.port) == ("127.0.0.1", 8484)
    assert loaded.ledger.url.get_secret_value() == "sqlite:///pointsman.db"
    assert not loaded.ledger.store_prompts
    assert loaded.rules == ()


def test_one_tier_without_policies_is_a_fixed_policy() -> None:
    loaded = config.loads("models: [{name: a, provider: sim}]\ntiers: [{name: only, models: [a]}]", environ={})
    assert loaded.policies["auto"] == config.FixedPolicy(kind="fixed", tier="only")


def test_the_only_policy_is_the_default_one() -> None:
    loaded = config.loads(SMALL + "policies: {mine: {kind: random, strong_share: 0.3, seed: 1}}", environ={})
    assert loaded.default_policy == "mine"
    assert loaded.policies["mine"] == config.RandomPolicy(kind="random", strong_share=0.3, seed=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("builtin", "builtin"),
        ("{file: my.yaml}", config.RulesFile(file="my.yaml")),
        ("[{name: x, when: {}, use: a}]", (config.RuleSettings(name="x", when={}, use="a", mode="enforce"),)),
    ],
)
def test_rules_have_three_forms(text: str, expected: object) -> None:
    assert config.loads(SMALL + f"rules: {text}", environ={}).rules == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", {}),
        ("timeout_s: 90", {"connect_s": 5.0, "first_byte_s": 90.0, "idle_s": 60.0, "total_s": 90.0}),
        ("timeout_s: 2", {"connect_s": 2.0, "first_byte_s": 2.0, "idle_s": 2.0, "total_s": 2.0}),
        (
            "timeout_s: {idle_s: 9, total_s: null}",
            {"connect_s": 5.0, "first_byte_s": 60.0, "idle_s": 9.0, "total_s": None},
        ),
    ],
)
def test_a_timeout_is_a_number_or_four_limits(written: str, expected: Mapping[str, float]) -> None:
    text = f"models: [{{name: a, provider: sim, {written}}}]\ntiers: [{{name: t, models: [a]}}]"
    assert config.loads(text, environ={}).models[0].plain()["timeouts"] == expected


def test_a_number_may_come_from_a_variable() -> None:
    loaded = config.loads(SMALL + "server: {port: '${PORT}'}", environ={"PORT": "9000"})
    assert loaded.server.port == 9000


def test_a_date_is_text_because_azure_versions_are_dates() -> None:
    text = (
        "models: [{name: a, provider: azure, model: d, base_url: 'https://x.openai.azure.com', "
        "api_version: 2024-10-21, api_key: k}]\ntiers: [{name: t, models: [a]}]"
    )
    assert config.loads(text, environ={}).models[0].api_version == "2024-10-21"


@pytest.mark.parametrize(
    ("line", "expected"), [("", None), (", anthropic_betas: []", ()), (", anthropic_betas: [a]", ("a",))]
)
def test_the_betas_that_an_upstream_takes(line: str, expected: tuple[str, ...] | None) -> None:
    text = f"models: [{{name: a, provider: anthropic, model: m, api_key: k{line}}}]\ntiers: [{{name: t, models: [a]}}]"
    plain = config.loads(text, environ={}).models[0].plain()
    assert plain["anthropic_betas"] == expected


def test_every_fault_of_a_file_is_told_at_once_in_order_with_its_line() -> None:
    lines = faults(
        "models:\n"
        "  - name: auto\n"
        "    provider: antropic\n"
        "    model: x\n"
        "    apikey: sk-abc\n"
        "  - {name: b, provider: sim}\n"
        "tiers:\n"
        "  - {name: cheap, models: [bb]}\n"
        "server: {port: http}\n"
    )
    assert lines == [
        "p.yaml:2: models[0].name: expected a name other than auto, claude-auto and auto:…, which mean routing, "
        "got text `auto`; choose another name",
        "p.yaml:3: models[0].provider: expected one of openai, anthropic, gemini, ollama, vllm, azure, "
        "bedrock-openai, openai-compatible, sim, got text `antropic`; did you mean `anthropic`?",
        "p.yaml:5: models[0].apikey: unknown key; did you mean `api_key`?",
        "p.yaml:8: tiers[0].models[0]: there is no model named `bb`; did you mean `b`?",
        "p.yaml:9: server.port: expected a whole number, got text `http`; correct the value",
    ]


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        ("baseline: strng", "p.yaml:7: baseline: there is no tier or model named `strng`; did you mean `strong`?"),
        ("default_policy: x", "p.yaml:7: default_policy: there is no policy named `x`; use one of: auto"),
        (
            "policies: {auto: {kind: cascade}}",
            "p.yaml:7: policies.auto: expected exactly one of accept, accept_by_tier, file, got none; keep one of them",
        ),
        (
            "policies: {auto: {kind: cascade, accept: 1.5}}",
            "p.yaml:7: policies.auto.accept: expected a number of at most 1, got the number `1.5`; correct the value",
        ),
        (
            "policies: {auto: {kind: cascade, accept_by_tier: {chep: 0.5}}}",
            "p.yaml:7: policies.auto.accept_by_tier.chep: there is no tier named `chep`; did you mean `cheap`?",
        ),
        (
            "policies: {auto: {kind: cascade, accept_by_tier: {strong: 0.5}}}",
            "p.yaml:7: policies.auto.accept_by_tier: names no tier but the last, which is never judged; add one of "
            "cheap",
        ),
        (
            "policies: {auto: {kind: cascade, accept: 0.5, mode: rase}}",
            "p.yaml:7: policies.auto.mode: expected one of buffer, holdback, race, got text `rase`; "
            "did you mean `race`?",
        ),
        (
            "policies: {auto: {kind: cascade_routing}}",
            "p.yaml:7: policies.auto: expected exactly one of quality_per_usd, file, got none; keep one of them",
        ),
        (
            "cascade: {when_judge_fails: ignore}",
            "p.yaml:7: cascade.when_judge_fails: expected one of accept, escalate, got text `ignore`; "
            "use one of: accept, escalate",
        ),
        (
            "cascade: {max_latency_ms: 0}",
            "p.yaml:7: cascade.max_latency_ms: expected a number above 0, got the number `0`; correct the value",
        ),
        (
            "policies: {auto: {kind: thresold}}",
            "p.yaml:7: policies.auto.kind: expected one of fixed, rules, threshold, llm_classifier, "
            "random, cascade, cascade_routing, got "
            "text `thresold`; "
            "did you mean `threshold`?",
        ),
        (
            "policies: {auto: {kind: threshold, threshold: 2}}",
            "p.yaml:7: policies.auto.threshold: expected a number of at most 1, got the number `2`; correct the value",
        ),
        (
            "policies: {auto: {kind: threshold, threshold: 0.5, strong_share: 0.5}}",
            "p.yaml:7: policies.auto: expected exactly one of max_quality_loss, threshold, strong_share, file, "
            "got threshold and strong_share; keep one of them",
        ),
        (
            "policies: {auto: {kind: rules, otherwise: chep}}",
            "p.yaml:7: policies.auto.otherwise: there is no tier named `chep`; did you mean `cheap`?",
        ),
        (
            "policies: {auto: {kind: fixed, model: z}}",
            "p.yaml:7: policies.auto.model: there is no model named `z`; use one of: a, b",
        ),
        (
            "policies: {auto: {}}",
            "p.yaml:7: policies.auto: `kind` is missing; add `kind:` with one of fixed, rules, threshold, "
            "llm_classifier, random, cascade, cascade_routing",
        ),
        (
            "policies: {auto: {kind: llm_classifier, threshold: 0.5}}",
            "p.yaml:7: policies.auto.model: missing; add `model:`",
        ),
        (
            "policies: {auto: {kind: llm_classifier, model: z, threshold: 0.5}}",
            "p.yaml:7: policies.auto.model: there is no model named `z`; use one of: a, b",
        ),
        (
            "policies: {auto: {kind: llm_classifier, model: a}}",
            "p.yaml:7: policies.auto: expected exactly one of max_quality_loss, threshold, strong_share, file, "
            "got none; keep one of them",
        ),
        (
            "policies: {auto: {kind: llm_classifier, model: a, threshold: 0.5, timeout_ms: 5}}",
            "p.yaml:7: policies.auto.timeout_ms: expected a number of at least 10, got the number `5`; "
            "correct the value",
        ),
        (
            "policies: {auto: {kind: llm_classifier, model: a, threshold: 0.5, cache_entrys: 5}}",
            "p.yaml:7: policies.auto.cache_entrys: unknown key; did you mean `cache_entries`?",
        ),
        (
            "policies: {auto: {kind: llm_classifier, model: a, threshold: 0.5, parameters: {stream: true}}}",
            "p.yaml:7: policies.auto.parameters.stream: is set by Pointsman, or by a key of its own; remove it",
        ),
        (
            "policies: {auto: {kind: random}, 'a b': {kind: random}}",
            "p.yaml:7: policies.a b: expected a name of letters, digits and . _ -, at most 64, got the name `a b`; "
            "correct the value",
        ),
        (
            "session: {hold: 3}",
            "p.yaml:7: session.hold: unknown key; use one of: cache_ttl_s, hold_tool_loops, idle_s, max_sessions, "
            "weigh_caches",
        ),
        (
            "redis: {url: 'http://h'}",
            "p.yaml:7: redis.url: expected an address such as redis://host:6379/0, rediss://… or unix:///path, "
            "got text (not shown); correct the value",
        ),
        (
            "redis: {on_failure: maybe}",
            "p.yaml:7: redis.on_failure: expected one of open, closed, got text `maybe`; use one of: closed, open",
        ),
        (
            "keys: {admin_key: short}",
            "p.yaml:7: keys.admin_key: expected at least 8 characters, got text (not shown); correct the value",
        ),
        ("sesion: {}", "p.yaml:7: sesion: unknown key; did you mean `session`?"),
        (
            "ledger: {flush_ms: 501}",
            "p.yaml:7: ledger.flush_ms: expected a number of at most 500, got the number `501`; correct the value",
        ),
        (
            "ledger: {store_prompts: maybe}",
            "p.yaml:7: ledger.store_prompts: expected true or false, got text `maybe`; correct the value",
        ),
        (
            "server: {port: true}",
            "p.yaml:7: server.port: expected a number, got `true`; correct the value",
        ),
        (
            "rules: 5",
            "p.yaml:7: rules: expected a list of rules, `builtin`, or `{file: path}`, got the number `5`; "
            "correct the value",
        ),
        (
            "rules: [{name: x, when: {}, use: chep}]",
            "p.yaml:7: rules[0].use: there is no tier or model named `chep`; did you mean `cheap`?",
        ),
        ("rules: [{name: x, use: a}]", "p.yaml:7: rules[0].when: missing; add `when:`"),
    ],
)
def test_a_mistake_is_told_with_line_key_what_was_expected_and_what_to_do(addition: str, expected: str) -> None:
    assert one_fault(SMALL + addition) == expected


def test_a_name_twice_a_model_in_two_tiers_and_a_tier_named_like_a_model() -> None:
    lines = faults(
        "models:\n  - {name: a, provider: sim}\n  - {name: a, provider: sim}\n"
        "tiers:\n  - {name: a, models: [a]}\n  - {name: t, models: [a]}\n"
    )
    assert lines == [
        "p.yaml:3: models[1].name: a model `a` is named twice, first in entry 0; rename one",
        "p.yaml:5: tiers[0].name: `a` is a model's name too; rename one, so that `use` is clear",
        "p.yaml:6: tiers[1].models[0]: `a` is in tier 0 already; keep it in one tier",
    ]


def test_a_key_given_twice_is_an_error_naming_both_lines() -> None:
    assert one_fault(SMALL + "baseline: a\nbaseline: b\n") == (
        "p.yaml:8: baseline: the key is given twice, first on line 7; remove one"
    )


@pytest.mark.parametrize("secret", ["sk-live-abcdef0123456789", "AIzaSyabcdef"])
@pytest.mark.parametrize(
    "place",
    [
        "models: [{name: a, provider: openai, model: m, api_key: [SECRET]}]\ntiers: [{name: t, models: [a]}]",
        "models: [{name: a, provider: openai, model: [x, SECRET], apikey: SECRET}]\ntiers: [{name: t, models: [a]}]",
        "models: [{name: a, provider: SECRET, model: x}]\ntiers: [{name: t, models: [a]}]",
        "models: [{name: a, provider: openai, model: x, base_url: 'u:SECRET@h'}]\ntiers: [{name: t, models: [a]}]",
        SMALL + "keys: {clients: [{name: c, key: SECRET}, {name: d, key: SECRET}]}",
        SMALL + "ledger: {url: {x: SECRET}}",
        SMALL + "server: {port: SECRET}",
        SMALL + "keys: {admin_key: 7, clients: SECRET}",
        SMALL + "x: 'SECRET",
    ],
)
def test_no_error_shows_a_secret(place: str, secret: str) -> None:
    assert secret not in "\n".join(faults(place.replace("SECRET", secret)))


def test_a_value_from_a_variable_appears_as_it_is_written() -> None:
    line = one_fault(SMALL + "server: {port: '${PORT}'}", {"PORT": "hunter2"})
    assert line == "p.yaml:7: server.port: expected a whole number, got text `${PORT}`; correct the value"


def test_secrets_are_neither_in_repr_nor_in_explain() -> None:
    text = EXAMPLE + ("keys: {clients: [{name: team, key: client-key-1234}], admin_key: admin-key-1234}\n")
    text = text.replace('"sqlite:///pointsman.db"', '"postgresql://u:hunter2@h/db?sslkey=k3y"')
    loaded = config.loads(text, environ=KEYS, source="pointsman.yaml")
    shown = repr(loaded) + str(loaded) + loaded.model_dump_json() + str(config.explain(loaded))
    for secret in (
        "sk-ant-secret-value",
        "sk-openai-secret-value",
        "client-key-1234",
        "admin-key-1234",
        "hunter2",
        "k3y",
    ):
        assert secret not in shown
    assert loaded.models[0].plain()["api_key"] == "sk-ant-secret-value"


def test_explain_tells_where_each_value_came_from() -> None:
    loaded = config.loads(EXAMPLE, environ=KEYS, source="pointsman.yaml")
    rows = {row.path: (row.shown, row.origin) for row in config.explain(loaded)}
    assert rows["models[0].model"] == ("claude-haiku-4-5", "pointsman.yaml:4")
    assert rows["models[0].api_key"] == ("***", "env ANTHROPIC_API_KEY")
    assert rows["policies.auto.max_quality_loss"] == ("0.01", "pointsman.yaml:15")
    assert rows["ledger.flush_ms"] == ("200", "default")
    assert loaded.line_of("rules", 0, "when") == 13


def test_conditions_are_checked_by_what_is_passed_in() -> None:
    def check(when: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        assert set(when) == {"any"}
        yield "any[1].task", "expected a task kind"

    text = (
        SMALL + "rules:\n  - name: x\n    use: a\n    when:\n      any:\n        - {turns: 1}\n        - {task: qq}\n"
    )
    with pytest.raises(ConfigError) as caught:
        config.loads(text, source="p.yaml", environ={}, check_rule=check)
    assert caught.value.message == ("p.yaml:13: rules[0].when.any[1].task: expected a task kind; see the page on rules")


def test_a_litellm_file_given_by_mistake_is_named() -> None:
    line = one_fault("model_list:\n  - model_name: x\n")
    assert line.startswith("p.yaml: this is a LiteLLM proxy file")
    assert "pointsman init --from-litellm p.yaml" in line


@pytest.mark.parametrize("text", ["", "# only a comment\n", "~"])
def test_an_empty_file_says_so(text: str) -> None:
    assert "the file is empty" in one_fault(text)


def test_broken_yaml_names_the_line_and_not_its_text() -> None:
    line = one_fault("models:\n  - name: 'sk-secret-in-open-quote\n")
    assert line.startswith("p.yaml:3: this is not valid YAML")
    assert "sk-secret" not in line


def test_a_variable_without_quotes_in_a_flow_mapping_is_explained() -> None:
    line = one_fault("models:\n  - {name: a, api_key: ${KEY}}\n", {"KEY": "k"})
    assert line.startswith("p.yaml:2: this is not valid YAML")
    assert line.endswith('inside { } and [ ] write "${NAME}" in quotes')


def test_a_file_is_found_by_argument_variable_or_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no pointsman\.yaml in this folder"):
        config.load(environ={})
    (tmp_path / "pointsman.yaml").write_text(SMALL, encoding="utf-8")
    assert config.load(environ={}).source == "pointsman.yaml"
    other = tmp_path / "deep" / "other.yaml"
    other.parent.mkdir()
    other.write_text(SMALL + "router: {artifact: art}", encoding="utf-8")
    loaded = config.load(environ={"POINTSMAN_CONFIG": str(other)})
    assert loaded.source == str(other)
    assert loaded.file_path(loaded.router.artifact) == other.parent / "art"
    assert (
        config.load(tmp_path / "pointsman.yaml", environ={"POINTSMAN_CONFIG": str(other)}).router.artifact == "builtin"
    )
    with pytest.raises(ConfigError, match="there is no such file"):
        config.load(tmp_path / "none.yaml", environ={})
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path, environ={})
    (tmp_path / "latin.yaml").write_bytes(b"models: \xff")
    with pytest.raises(ConfigError, match="byte 8 is not UTF-8"):
        config.load(tmp_path / "latin.yaml", environ={})


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_loads_or_raises_a_config_error(text: str) -> None:
    try:
        config.loads(text, environ={})
    except ConfigError as error:
        assert error.message


_yaml_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 10**9)
    | st.floats()
    | st.sampled_from(["a", "b", "auto", "${X}", "x y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "kind", "models", "model", "price", "use", "zz"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["models", "tiers", "rules", "policies", "keys", "ledger", "server", "baseline", "router"]),
        _yaml_values,
        max_size=6,
    )
)
def test_any_shape_loads_or_raises_a_config_error_with_places(data: dict[str, Any]) -> None:
    import yaml

    try:
        config.loads(yaml.safe_dump(data), source="p.yaml", environ={})
    except ConfigError as error:
        assert all(line.startswith("p.yaml") for line in error.message.splitlines())
