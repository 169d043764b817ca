import { describe, expect, it } from "vitest";

import vectors from "../../../tests/vectors/v1.json";
import { type ClientMessage, ProtocolError, type ServerMessage, decode, encode, readPresence } from "../src/protocol.js";

type Fields = Readonly<Record<string, string | number | boolean | readonly number[]>>;

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A message the way the vectors write it: offsets as decimal strings, data as hex. */
function written(message: ServerMessage): Fields {
  const entries = Object.entries(message).map(([name, value]: [string, unknown]) => {
    if (typeof value === "bigint") return [name, String(value)] as const;
    if (value instanceof Uint8Array) return [name, hex(value)] as const;
    return [name, value as string | number | boolean] as const;
  });
  return Object.fromEntries(entries);
}

function clientMessage(fields: Fields): ClientMessage {
  const data = bytes(String(fields["data"] ?? ""));
  const offset = BigInt(String(fields["offset"] ?? 0));
  switch (fields["type"]) {
    case "input":
      return { type: "input", offset, data };
    case "resize":
      return {
        type: "resize",
        rows: Number(fields["rows"]),
        cols: Number(fields["cols"]),
        takeSize: Boolean(fields["take_size"]),
        hidden: Boolean(fields["hidden"]),
      };
    case "ack":
      return { type: "ack", offset };
    case "ping":
      return { type: "ping", data };
    case "lines":
      return { type: "lines", before: BigInt(String(fields["before"] ?? 0)), count: Number(fields["count"]) };
    case "redraw":
      return { type: "redraw" };
    case "appearance": {
      const cell = { cellHeight: Number(fields["cell_height"]), cellWidth: Number(fields["cell_width"]) };
      const colours = fields["colours"] as readonly number[];
      return { type: "appearance", dark: Boolean(fields["dark"]), ...cell, colours };
    }
    default:
      throw new Error(`a vector of an unknown type: ${String(fields["type"])}`);
  }
}

describe("the shared vectors", () => {
  const messages = vectors.messages as readonly { name: string; from: string; hex: string; fields: Fields }[];

  it.each(messages.filter((each) => each.from === "server"))("decodes $name", ({ hex: data, fields }) => {
    expect(written(decode(bytes(data).buffer))).toEqual(fields);
  });

  it.each(messages.filter((each) => each.from === "client"))("encodes $name", ({ hex: data, fields }) => {
    expect(hex(encode(clientMessage(fields)))).toBe(data);
  });
});

describe("decode", () => {
  it("refuses an empty message", () => {
    expect(() => decode(new ArrayBuffer(0))).toThrow(ProtocolError);
  });

  const fixed = ["01", "0102030405060708", "03", "0301030018", "0400280078", "0600000000", "0700", "09", "0c"];
  it.each([...fixed, `02${"00".repeat(28)}`, `0b${"00".repeat(20)}`])("refuses the truncated message %s", (data) => {
    expect(() => decode(bytes(data).buffer)).toThrow(/expected at least/);
  });

  it("ignores what follows the last field it knows", () => {
    expect(decode(bytes("0400280078010203").buffer)).toEqual({ type: "resize", rows: 40, cols: 120, owner: true });
  });

  it("passes on a type that it does not know", () => {
    expect(decode(bytes("7f0102").buffer)).toEqual({ type: "unknown", kind: 0x7f });
  });

  it("does not copy output", () => {
    const { buffer } = bytes("0100000000000000076162");
    const message = decode(buffer);
    expect(message.type === "output" && message.data.buffer).toBe(buffer);
  });
});

describe("readPresence", () => {
  const zoë = {
    id: "n-7",
    user: "zoë",
    role: "owner",
    writable: true,
    guest: false,
    since: "2026-01-02T03:04:05.678Z",
  };

  it("reads the shared vector", () => {
    const vector = vectors.messages.find((each) => each.name === "presence");
    expect(readPresence(String(vector?.fields.text))).toEqual({ people: [zoë], more: 0 });
  });

  it("passes on what it does not know, and takes `more` as 0 when it is missing", () => {
    expect(readPresence(JSON.stringify({ people: [{ ...zoë, pronoun: "they" }], later: 1 }))).toEqual({
      people: [{ ...zoë, pronoun: "they" }],
      more: 0,
    });
  });

  it.each(["", "[]", "null", "7", "{", "{}", '{"people":{}}', '{"people":[null]}', '{"people":[{}]}'])(
    "has no answer to %s",
    (text) => expect(readPresence(text)).toBeUndefined(),
  );

  it.each(Object.keys(zoë))("has no answer to a person without %s", (name) => {
    expect(readPresence(JSON.stringify({ people: [{ ...zoë, [name]: 5 }] }))).toBeUndefined();
  });
});

describe("encode", () => {
  it("refuses sizes and offsets that do not fit", () => {
    const flags = { takeSize: false, hidden: false };
    expect(() => encode({ type: "resize", rows: 70_000, cols: 80, ...flags })).toThrow(
      /rows from 0 to 65535, got 70000/,
    );
    expect(() => encode({ type: "ack", offset: -1n })).toThrow(ProtocolError);
    expect(() => encode({ type: "ping", data: new Uint8Array(65) })).toThrow(ProtocolError);
    expect(() => encode({ type: "lines", before: 1n << 64n, count: 1 })).toThrow(ProtocolError);
    expect(() => encode({ type: "lines", before: 0n, count: 10_001 })).toThrow(/lines from 0 to 10000, got 10001/);
  });
});
