/** The feed of events: it connects, comes back by itself, and holds nothing that other windows need. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { EventFeed } from "../src/events.js";

class FakeSocket {
  static made: FakeSocket[] = [];
  readyState = 0;
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(readonly url: URL) {
    FakeSocket.made.push(this);
  }

  close(): void {
    this.readyState = 3;
    this.closed = true;
  }

  // Actions of the server

  accept(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  drop(): void {
    this.readyState = 3;
    this.onclose?.();
  }
}

const LONGEST_MS = 10_000;
const page = new EventTarget() as EventTarget & { visibilityState: string; baseURI: string };
const happened: string[] = [];
let feed: EventFeed;

const newest = () => FakeSocket.made.at(-1) as FakeSocket;

function show(visibilityState: "visible" | "hidden"): void {
  page.visibilityState = visibilityState;
  page.dispatchEvent(new Event("visibilitychange"));
}

beforeEach(() => {
  vi.useFakeTimers();
  const world = new EventTarget();
  vi.stubGlobal("document", page);
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("addEventListener", world.addEventListener.bind(world));
  vi.stubGlobal("dispatchEvent", world.dispatchEvent.bind(world));
  page.visibilityState = "visible";
  page.baseURI = "http://host:4020/terminal/";
  FakeSocket.made = [];
  happened.length = 0;
  feed = new EventFeed({
    onOpen: () => happened.push("open"),
    onEvent: ({ type }) => happened.push(type),
    onLost: () => happened.push("lost"),
  });
  feed.start();
});

afterEach(() => {
  feed.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the feed", () => {
  it("is a WebSocket below the application's root", () => {
    expect(newest().url.href).toBe("ws://host:4020/terminal/api/events");
  });

  it("passes events on, and nothing else", () => {
    newest().accept();
    newest().onmessage?.({ data: '{"type":"connected"}' });
    newest().onmessage?.({ data: "{" });
    newest().onmessage?.({ data: new ArrayBuffer(1) });
    expect(happened).toEqual(["open", "connected"]);
  });

  it("comes back by itself, each time later, and at once after it was connected", () => {
    newest().drop();
    for (let attempt = 1; attempt < 12; attempt++) {
      vi.advanceTimersByTime(LONGEST_MS);
      expect(FakeSocket.made.length).toBe(attempt + 1);
      newest().drop();
    }
    vi.advanceTimersByTime(LONGEST_MS / 2 - 1);
    expect(FakeSocket.made.length).toBe(12);
    vi.advanceTimersByTime(LONGEST_MS);
    newest().accept();
    newest().drop();
    vi.advanceTimersByTime(250);
    expect(FakeSocket.made.length).toBe(14);
    expect(happened).toEqual([...Array(12).fill("lost"), "open", "lost"]);
  });

  it("comes back when the device is online again", () => {
    newest().drop();
    dispatchEvent(new Event("online"));
    expect(FakeSocket.made.length).toBe(2);
    newest().accept();
    dispatchEvent(new Event("online"));
    expect(FakeSocket.made.length).toBe(2);
  });

  it("is not connected while the page is hidden", () => {
    newest().accept();
    show("hidden");
    expect(newest().closed).toBe(true);
    dispatchEvent(new Event("online"));
    vi.advanceTimersByTime(LONGEST_MS);
    expect(FakeSocket.made.length).toBe(1);
    show("visible");
    expect(FakeSocket.made.length).toBe(2);
    expect(happened).toEqual(["open"]);
  });

  it("does nothing after it was stopped", () => {
    newest().drop();
    feed.stop();
    show("visible");
    vi.advanceTimersByTime(LONGEST_MS);
    expect(FakeSocket.made.length).toBe(1);
  });
});
