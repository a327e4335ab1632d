// The openai package for Node: Chat Completions and Responses.
import OpenAI from "openai";

const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const hello = [{ role: "user", content: "Hello" }];
const client = (url, key) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key });

export async function plain(url, key) {
  const answer = await client(url, key).chat.completions.create({ model: "auto", messages: hello });
  return answer.choices[0].message.content;
}

export async function stream(url, key) {
  const pieces = [];
  const chunks = await client(url, key).chat.completions.create({ model: "auto", messages: hello, stream: true });
  for await (const chunk of chunks) {
    if (chunk.choices[0].delta.content) pieces.push(chunk.choices[0].delta.content);
  }
  return pieces;
}

export async function tools(url, key) {
  const runner = client(url, key).chat.completions.runTools({
    model: "auto",
    messages: [{ role: "user", content: "How is the weather in Bern?" }],
    tools: [
      {
        type: "function",
        function: { name: "get_weather", parameters, parse: JSON.parse, function: ({ city }) => `7 degrees in ${city}` },
      },
    ],
  });
  return await runner.finalContent();
}

export async function plain_responses(url, key) {
  return (await client(url, key).responses.create({ model: "auto", input: "Hello" })).output_text;
}

export async function stream_responses(url, key) {
  const pieces = [];
  for await (const event of await client(url, key).responses.create({ model: "auto", input: "Hello", stream: true })) {
    if (event.type === "response.output_text.delta") pieces.push(event.delta);
  }
  return pieces;
}

export async function tools_responses(url, key) {
  const openai = client(url, key);
  const tools = [{ type: "function", name: "get_weather", parameters, strict: true }];
  const input = "How is the weather in Bern?";
  const answer = await openai.responses.create({ model: "auto", input, tools });
  const results = answer.output
    .filter((item) => item.type === "function_call")
    .map((item) => ({ type: "function_call_output", call_id: item.call_id, output: "7 degrees" }));
  const last = await openai.responses.create({ model: "auto", input: results, tools, previous_response_id: answer.id });
  return last.output_text;
}

export async function models(url, key) {
  const names = [];
  for await (const model of await client(url, key).models.list()) names.push(model.id);
  return names;
}

export async function embeddings(url, key) {
  return (await client(url, key).embeddings.create({ model: "small", input: "Hello" })).data.length;
}

async function error(url, key, model, content) {
  try {
    await client(url, key).chat.completions.create({ model, messages: [{ role: "user", content }] });
  } catch (error) {
    if (error instanceof OpenAI.APIError) return [error.constructor.name, error.status];
    throw error;
  }
}

export const rate_limited = (url, key) => error(url, key, "auto", "Too many of us");
export const unknown_model = (url, key) => error(url, key, "no-such-model", "Hello");
export const bad_key = (url) => error(url, "sk-wrong-key", "auto", "Hello");
