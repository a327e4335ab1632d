"""`pointsman init` and `pointsman config` through the front door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pointsman import config
from pointsman.cli import config_commands, init_command
from pointsman.errors import ConfigError, PointsmanError

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OLLAMA_HOST", "OLLAMA_MODEL", "POINTSMAN_CONFIG")
app = typer.Typer()
app.command("init")(init_command.init)
app.add_typer(config_commands.app, name="config")


@pytest.fixture(autouse=True)
def _empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str) -> str:
    """What a command prints; its PointsmanError is raised."""
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, PointsmanError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_init_without_keys_writes_simulated_models_that_work_and_says_so() -> None:
    out = run("init")
    assert "simulated" in out
    text = Path("pointsman.yaml").read_text(encoding="utf-8")
    assert "SIMULATED" in text
    loaded = config.load(environ={})
    assert [model.provider for model in loaded.models] == ["sim", "sim"]
    assert loaded.tier_names() == ("cheap", "strong")
    models = config_commands.build_all(loaded)
    cheap, strong = (models[tier.models[0]].price for tier in loaded.tiers)
    assert cheap is not None
    assert strong is not None
    assert cheap.output_usd_per_mtok < strong.output_usd_per_mtok


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"])
def test_init_with_a_key_writes_models_with_prices_and_only_the_variable(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "sk-very-secret")
    run("init")
    text = Path("pointsman.yaml").read_text(encoding="utf-8")
    assert "sk-very-secret" not in text
    assert f"${{{name}}}" in text
    loaded = config.load(environ={name: "k"})
    models = config_commands.build_all(loaded)
    assert config_commands.remarks(loaded, models) == []
    assert all(model.price is not None for model in models.values())


def test_init_with_every_key_orders_each_tier_by_price(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), "k")
    environ["OLLAMA_HOST"] = "0.0.0.0"
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    out = json.loads(run("init", "--json"))
    assert out["tiers"]["cheap"][0] == "local"
    assert len(out["models"]) == 7
    loaded = config.load(environ=environ)
    assert loaded.models[0].base_url == "http://127.0.0.1:11434"
    assert loaded.models[0].model == "llama3.2"
    models = config_commands.build_all(loaded)
    for tier in loaded.tiers:
        prices = [models[name].price for name in tier.models]
        blended = [3 * p.input_usd_per_mtok + p.output_usd_per_mtok for p in prices if p is not None]
        assert blended == sorted(blended)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("10.1.1.1", "http://10.1.1.1:11434"),
        ("box:9", "http://box:9"),
        ("https://o.example", "https://o.example"),
        ("0.0.0.0:11434", "http://127.0.0.1:11434"),
    ],
)
def test_init_reads_ollama_host_in_every_form(host: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    run("init")
    loaded = config.load(environ={"OLLAMA_HOST": host})
    assert loaded.models[0].base_url == address
    assert loaded.policies["auto"].kind == "fixed"


def test_init_replaces_a_file_only_with_force() -> None:
    Path("pointsman.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="give --force"):
        run("init")
    assert Path("pointsman.yaml").read_text(encoding="utf-8") == "mine"
    run("init", "--force")
    assert config.load(environ={}).tier_names() == ("cheap", "strong")


LITELLM = """\
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/MY_OPENAI, rpm: 60}
  - model_name: gpt-4o
    litellm_params: {model: azure/dep, api_base: "https://x.openai.azure.com/", api_key: "sk-VERY$SECRET",
      api_version: "2024-10-21"}
    model_info: {input_cost_per_token: 0.0000025, output_cost_per_token: 1e-05, max_input_tokens: 128000}
  - model_name: mini
    litellm_params: {model: gpt-4o-mini, timeout: 30, max_parallel_requests: 4}
  - model_name: llama
    litellm_params: {model: groq/llama-3.3-70b-versatile, api_key: os.environ/GROQ_API_KEY}
  - {model_name: "*", litellm_params: {model: "openai/*"}}
  - {model_name: bed, litellm_params: {model: bedrock/anthropic.claude-3}}
  - {model_name: emb, litellm_params: {model: openai/text-embedding-3-small}, model_info: {mode: embedding}}
  - {model_name: mine, litellm_params: {model: openai/qwen, api_base: os.environ/MY_BASE}}
  - nonsense
router_settings: {routing_strategy: simple-shuffle}
general_settings: {master_key: sk-1234}
"""


def test_a_litellm_file_is_carried_over_and_what_is_left_is_told() -> None:
    Path("config.yaml").write_text(LITELLM, encoding="utf-8")
    out = json.loads(run("init", "--from-litellm", "config.yaml", "--json"))
    assert out["tiers"] == {"cheap": ["mini", "llama"], "strong": ["gpt-4o", "gpt-4o-2"]}
    text = Path("pointsman.yaml").read_text(encoding="utf-8")
    assert "SECRET" not in text
    assert "sk-1234" not in text
    environ = dict.fromkeys(("MY_OPENAI", "OPENAI_API_KEY", "GROQ_API_KEY", "GPT_4O_API_KEY"), "k")
    loaded = config.load(environ=environ | {"MY_BASE": "http://10.0.0.1/v1"})
    by_name = {model.name: model for model in loaded.models}
    azure = by_name["gpt-4o-2"]
    assert (azure.provider, azure.model, azure.api_version) == ("azure", "dep", "2024-10-21")
    assert azure.price is not None
    assert (azure.price.input_usd_per_mtok, azure.price.output_usd_per_mtok) == (2.5, 10.0)
    assert azure.context_window_tokens == 128_000
    assert (by_name["mini"].timeout_s, by_name["mini"].max_concurrency) == (30.0, 4)
    assert by_name["llama"].base_url == "https://api.groq.com/openai/v1"
    assert (by_name["mine"].provider, by_name["mine"].base_url) == ("openai-compatible", "http://10.0.0.1/v1")
    left = "\n".join(out["left_out"])
    for what in (
        "model_list[0] (gpt-4o): rpm",
        "set the variable GPT_4O_API_KEY",
        "(*): a wildcard",
        "(bed): bedrock",
        "(emb): embedding",
        "mine: no price is known",
        "model_list[8]: has no model_name",
        "router_settings",
        "general_settings",
    ):
        assert what in left
    assert "VERY" not in left


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: []", "there is no `model_list`"),
        ("model_list: []", "there is no `model_list`"),
        ("model_list: [{model_name: x, litellm_params: {model: bedrock/y}}]", "no model could be carried over"),
        ("model_list: [", "not valid YAML"),
    ],
)
def test_a_litellm_file_without_models_is_refused_and_nothing_is_written(text: str, message: str) -> None:
    Path("config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        run("init", "--from-litellm", "config.yaml")
    assert not Path("pointsman.yaml").exists()


def test_config_show_explain_masks_secrets_and_names_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    run("init")
    for output in (run("config", "show", "--explain"), run("config", "show"), run("config", "show", "--json")):
        assert "sk-very-secret" not in output
    rows = json.loads(run("config", "show", "--explain", "--json"))["settings"]
    key = next(row for row in rows if row["path"] == "models[0].api_key")
    assert (key["shown"], key["origin"]) == ("***", "env OPENAI_API_KEY")


def test_config_schema_prints_the_schema() -> None:
    assert json.loads(run("config", "schema")) == config.json_schema()


def test_config_check_tells_faults_of_models_with_their_lines() -> None:
    Path("pointsman.yaml").write_text(
        "models:\n  - {name: a, provider: openai, model: x}\n  - {name: b, provider: azure, model: x, api_key: k}\n"
        "tiers: [{name: t, models: [a, b]}]\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        run("config", "check")
    assert caught.value.message.splitlines()[0].startswith("pointsman.yaml:2: models[0]: model 'a': OpenAI needs a key")
    assert caught.value.message.splitlines()[1].startswith("pointsman.yaml:3: models[1]: model 'b': Azure OpenAI needs")


def test_config_check_remarks_on_tiers_out_of_order_and_models_without_price_or_tier() -> None:
    Path("pointsman.yaml").write_text(
        "models:\n"
        "  - {name: dear, provider: sim, simulate: {priced_as: openai/gpt-4o}}\n"
        "  - {name: low, provider: sim, simulate: {priced_as: openai/gpt-4o-mini}}\n"
        "  - {name: free, provider: sim}\n"
        "tiers: [{name: first, models: [dear]}, {name: second, models: [low]}]\n"
        "policies: {auto: {kind: fixed, tier: second}}\n",
        encoding="utf-8",
    )
    out = json.loads(run("config", "check", "--json"))
    assert out["ok"] is True
    assert [note.partition(",")[0].partition(";")[0] for note in out["remarks"]] == [
        "free has no price",
        "free is in no tier",
        "tier second is cheaper than tier first before it",
        "there are simulated models: their answers are not real",
    ]
    assert "is good" in run("config", "check")
