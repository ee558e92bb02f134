// Vercel's AI SDK with its provider for OpenAI, unmodified, against the real service.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, embedMany, generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";
import { ADDRESS, BASE, EMBEDDING_MODEL, KEY, PICTURE, QUESTION, cosine } from "./access.mjs";

const openai = createOpenAI({ baseURL: ADDRESS, apiKey: KEY });
const stranger = createOpenAI({ baseURL: ADDRESS, apiKey: "sk-of-someone-else" });

// The provider asks /v1/responses unless told otherwise.
const APIS = [
  ["responses", (model, provider = openai) => provider(model)],
  ["chat completions", (model, provider = openai) => provider.chat(model)],
];

for (const [name, model] of APIS) {
  test(`${name}: it answers, with its usage`, async () => {
    const made = await generateText({ model: model("wire/usage"), prompt: "Count" });
    assert.equal(made.text, "Counted.");
    assert.equal(made.finishReason, "stop");
    assert.ok(made.usage.totalTokens > 0);
  });

  test(`${name}: it streams, with its usage`, async () => {
    const made = streamText({ model: model("wire/usage"), prompt: "Count" });
    let text = "";
    for await (const piece of made.textStream) text += piece;
    assert.equal(text, "Counted.");
    assert.ok((await made.usage).totalTokens > 0);
  });

  test(`${name}: it sees pictures`, async () => {
    const content = [
      { type: "text", text: "What is this?" },
      { type: "file", mediaType: "image/png", data: PICTURE },
    ];
    const made = await generateText({
      model: model("wire/sees"),
      messages: [{ role: "user", content }],
    });
    assert.match(made.text, /^I see [0-9a-f]{12}\.$/);
  });

  test(`${name}: it names the documents of an answer`, async () => {
    const whole = await generateText({ model: model(`wire/cited@${BASE}`), prompt: QUESTION });
    assert.equal(whole.sources[0].title, "handbook.md");
    const streamed = streamText({ model: model(`wire/cited@${BASE}`), prompt: QUESTION });
    assert.ok((await streamed.text).includes("[1]"));
    assert.equal((await streamed.sources)[0].title, "handbook.md");
  });

  test(`${name}: a conversation goes on`, async () => {
    const first = { role: "user", content: "Remember 7" };
    const { response } = await generateText({ model: model("wire/echo"), messages: [first] });
    const made = await generateText({
      model: model("wire/echo"),
      instructions: "Repeat.",
      messages: [first, ...response.messages, { role: "user", content: "And now 8" }],
    });
    assert.equal(made.text, "And now 8");
  });

  test(`${name}: a model calls tools`, async () => {
    const made = await generateText({
      model: model("wire/weather"),
      prompt: "How is it?",
      stopWhen: isStepCount(3),
      tools: {
        weather: tool({
          inputSchema: z.object({ city: z.string(), unit: z.string() }),
          execute: async ({ city, unit }) => `7 ${unit} in ${city}`,
        }),
        time: tool({ inputSchema: z.object({}), execute: async () => "noon" }),
      },
    });
    assert.equal(made.text, "It is 7 °C in Berlin and noon.");
  });

  test(`${name}: errors are its own`, async () => {
    const statuses = [
      [model("wire/echo", stranger), 401],
      [model("wire/no-such-model"), 404],
      [model("wire/refuse-429"), 429],
      [model("wire/refuse-500"), 502],
    ];
    for (const [each, status] of statuses) {
      await assert.rejects(generateText({ model: each, prompt: "Hello", maxRetries: 0 }), (error) => {
        assert.ok(APICallError.isInstance(error), String(error));
        assert.equal(error.statusCode, status);
        return true;
      });
    }
  });
}

test("it embeds", async () => {
  const values = ["Employees get 27 days of leave.", "The printer is upstairs.", QUESTION];
  const { embeddings } = await embedMany({ model: openai.embedding(EMBEDDING_MODEL), values });
  const [leave, printer, question] = embeddings;
  assert.ok(cosine(question, leave) > cosine(question, printer));
});
