"""The example file of the documentation; a test loads it."""

EXAMPLE = """\
models:
  - name: haiku                      # what policies and clients call it
    provider: anthropic
    model: claude-haiku-4-5          # what the provider calls it
    api_key: ${ANTHROPIC_API_KEY}    # ${VAR} anywhere; never written back, never logged
  - {name: opus, provider: anthropic, model: claude-opus-4-5, api_key: "${ANTHROPIC_API_KEY}"}
  - {name: gpt-4o, provider: openai, model: gpt-4o, api_key: "${OPENAI_API_KEY}"}
tiers:                               # cheapest first
  - {name: cheap,  models: [haiku]}
  - {name: strong, models: [opus, gpt-4o]}   # the first healthy one; the rest are fallbacks
router: {artifact: builtin}
rules:
  - {name: short faq, when: {max_prompt_tokens: 60, no_code: true, turns: 1}, use: cheap, mode: enforce}
policies:
  auto: {kind: threshold, max_quality_loss: 0.01}
default_policy: auto
baseline: strong                     # what savings are counted against
ledger: {url: "sqlite:///pointsman.db"}
server: {host: 127.0.0.1, port: 8484}
"""
