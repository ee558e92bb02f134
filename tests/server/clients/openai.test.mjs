// OpenAI's JavaScript client, unmodified, against the real service.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { ADDRESS, BASE, EMBEDDING_MODEL, KEY, PICTURE, QUESTION, cosine } from "./access.mjs";

const client = new OpenAI({ baseURL: ADDRESS, apiKey: KEY, maxRetries: 0 });
const said = (content) => [{ role: "user", content }];

test("it lists models with and without documents", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  for (const id of ["wire/echo", EMBEDDING_MODEL]) assert.ok(ids.includes(id), id);
  assert.ok(ids.some((id) => id.startsWith("wire/echo@")));
});

test("chat answers, with its usage", async () => {
  const made = await client.chat.completions.create({ model: "wire/usage", messages: said("Hi") });
  assert.equal(made.choices[0].message.content, "Counted.");
  assert.ok(made.usage.total_tokens > 0);
});

test("chat streams, with its usage", async () => {
  const stream = await client.chat.completions.create({
    model: "wire/usage",
    messages: said("Hi"),
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let usage = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage ??= chunk.usage;
  }
  assert.equal(text, "Counted.");
  assert.ok(usage.total_tokens > 0);
});

test("chat sees pictures and cites documents", async () => {
  const parts = [
    { type: "text", text: "What is this?" },
    { type: "image_url", image_url: { url: PICTURE } },
  ];
  const seen = await client.chat.completions.create({ model: "wire/sees", messages: said(parts) });
  assert.match(seen.choices[0].message.content, /^I see [0-9a-f]{12}\.$/);
  const cited = await client.chat.completions.create({
    model: `wire/cited@${BASE}`,
    messages: said(QUESTION),
  });
  assert.equal(cited.choices[0].message.annotations[0].url_citation.title, "handbook.md");
});

test("responses answer and stream", async () => {
  const response = await client.responses.create({ model: "wire/echo", input: "Hello there" });
  assert.equal(response.output_text, "Hello there");
  assert.equal(response.status, "completed");
  const stream = client.responses.stream({ model: `wire/cited@${BASE}`, input: QUESTION });
  let text = "";
  stream.on("response.output_text.delta", (event) => (text += event.delta));
  const final = await stream.finalResponse();
  assert.ok(text.includes("[1]"));
  const [annotation] = final.output[0].content[0].annotations;
  assert.equal(annotation.type, "url_citation");
  assert.equal(annotation.title, "handbook.md");
});

test("responses see pictures", async () => {
  const content = [
    { type: "input_text", text: "What is this?" },
    { type: "input_image", image_url: PICTURE, detail: "auto" },
  ];
  const seen = await client.responses.create({ model: "wire/sees", input: said(content) });
  assert.match(seen.output_text, /^I see [0-9a-f]{12}\.$/);
});

test("embeddings are near where meanings are", async () => {
  const input = ["Employees get 27 days of leave.", "The printer is upstairs.", QUESTION];
  const made = await client.embeddings.create({ model: EMBEDDING_MODEL, input });
  const [leave, printer, question] = made.data.map((entry) => entry.embedding);
  assert.ok(cosine(question, leave) > cosine(question, printer));
});

test("errors are the client's own", async () => {
  const stranger = client.withOptions({ apiKey: "sk-of-someone-else" });
  const asks = [
    (it, model) => it.chat.completions.create({ model, messages: said("Hello") }),
    (it, model) => it.responses.create({ model, input: "Hello" }),
  ];
  for (const ask of asks) {
    await assert.rejects(ask(stranger, "wire/echo"), OpenAI.AuthenticationError);
    await assert.rejects(ask(client, "wire/no-such-model"), OpenAI.NotFoundError);
    await assert.rejects(ask(client, "wire/refuse-429"), OpenAI.RateLimitError);
    await assert.rejects(ask(client, "wire/refuse-500"), OpenAI.InternalServerError);
  }
  const unknown = client.embeddings.create({ model: "embedder/unknown", input: "Hello" });
  await assert.rejects(unknown, OpenAI.NotFoundError);
});
