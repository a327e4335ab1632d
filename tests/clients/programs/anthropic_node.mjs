// The @anthropic-ai/sdk package.
import Anthropic from "@anthropic-ai/sdk";

const tools_ = [
  {
    name: "get_weather",
    input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
];
const hello = [{ role: "user", content: "Hello" }];
const client = (url, key) => new Anthropic({ baseURL: url, apiKey: key });
const text = (answer) => answer.content.map((block) => (block.type === "text" ? block.text : "")).join("");

export async function plain(url, key) {
  return text(await client(url, key).messages.create({ model: "auto", max_tokens: 100, messages: hello }));
}

export async function stream(url, key) {
  const pieces = [];
  const events = client(url, key).messages.stream({ model: "auto", max_tokens: 100, messages: hello });
  events.on("text", (piece) => pieces.push(piece));
  await events.finalMessage();
  return pieces;
}

export async function tools(url, key) {
  const messages = [{ role: "user", content: "How is the weather in Bern?" }];
  for (let turn = 0; turn < 4; turn++) {
    const answer = await client(url, key).messages.create({ model: "auto", max_tokens: 100, messages, tools: tools_ });
    const calls = answer.content.filter((block) => block.type === "tool_use");
    if (calls.length === 0) return text(answer);
    messages.push({ role: "assistant", content: answer.content });
    const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "7 degrees" }));
    messages.push({ role: "user", content: results });
  }
}

export async function models(url, key) {
  const names = [];
  for await (const model of client(url, key).models.list()) names.push(model.id);
  return names;
}

export async function count(url, key) {
  return (await client(url, key).messages.countTokens({ model: "auto", messages: hello })).input_tokens;
}

async function error(url, key, model, content) {
  try {
    await client(url, key).messages.create({ model, max_tokens: 100, messages: [{ role: "user", content }] });
  } catch (error) {
    if (error instanceof Anthropic.APIError) return [error.constructor.name, error.status];
    throw error;
  }
}

export const rate_limited = (url, key) => error(url, key, "auto", "Too many of us");
export const unknown_model = (url, key) => error(url, key, "no-such-model", "Hello");
export const bad_key = (url) => error(url, "sk-wrong-key", "auto", "Hello");
