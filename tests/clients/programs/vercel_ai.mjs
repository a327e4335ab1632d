// Vercel's ai package with the openai (Responses by default, Chat), openai-compatible and anthropic providers.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, RetryError, embed, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const openai = (url, key) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
const anthropic = (url, key) => createAnthropic({ baseURL: `${url}/v1`, apiKey: key });
const compatible = (url, key) => createOpenAICompatible({ name: "pointsman", baseURL: `${url}/v1`, apiKey: key });

const asked = async (model) => (await generateText({ model, prompt: "Hello" })).text;

async function pieces(model) {
  const out = [];
  let failed;
  const { textStream } = streamText({ model, prompt: "Hello", onError: ({ error }) => (failed = error) });
  for await (const piece of textStream) out.push(piece);
  if (failed !== undefined) throw failed;
  return out;
}

async function loop(model) {
  const get_weather = tool({
    description: "How warm it is in a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `7 degrees in ${city}`,
  });
  const prompt = "How is the weather in Bern?";
  return (await generateText({ model, prompt, tools: { get_weather }, stopWhen: stepCountIs(4) })).text;
}

export const plain = (url, key) => asked(openai(url, key)("auto"));
export const stream = (url, key) => pieces(openai(url, key)("auto"));
export const tools = (url, key) => loop(openai(url, key)("auto"));
export const plain_chat = (url, key) => asked(openai(url, key).chat("auto"));
export const stream_chat = (url, key) => pieces(openai(url, key).chat("auto"));
export const tools_chat = (url, key) => loop(openai(url, key).chat("auto"));
export const plain_compatible = (url, key) => asked(compatible(url, key)("auto"));
export const stream_compatible = (url, key) => pieces(compatible(url, key)("auto"));
export const tools_compatible = (url, key) => loop(compatible(url, key)("auto"));
export const plain_messages = (url, key) => asked(anthropic(url, key)("auto"));
export const stream_messages = (url, key) => pieces(anthropic(url, key)("auto"));
export const tools_messages = (url, key) => loop(anthropic(url, key)("auto"));

export async function structured(url, key) {
  const schema = z.object({ name: z.string(), population: z.number() });
  const { object } = await generateObject({ model: openai(url, key)("auto"), schema, prompt: "Name a city" });
  return [typeof object.name, typeof object.population];
}

export async function embeddings(url, key) {
  const { embedding } = await embed({ model: openai(url, key).textEmbeddingModel("small"), value: "Hello" });
  return embedding.length > 0 ? 1 : 0;
}

async function error(url, key, model, prompt) {
  try {
    await generateText({ model: openai(url, key).chat(model), prompt, maxRetries: 0 });
  } catch (error) {
    const cause = RetryError.isInstance(error) ? error.lastError : error;
    if (APICallError.isInstance(cause)) return [cause.name, cause.statusCode];
    throw error;
  }
}

export const rate_limited = (url, key) => error(url, key, "auto", "Too many of us");
export const unknown_model = (url, key) => error(url, key, "no-such-model", "Hello");
export const bad_key = (url) => error(url, "sk-wrong-key", "auto", "Hello");
