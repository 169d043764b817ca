import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { CLOSE_LOGIN_OVER, CLOSE_POLICY, CLOSE_PUT_OUT, CLOSE_SESSION_REMOVED } from "../src/protocol.js";
import { INPUT_CHUNK, PENDING_LIMIT } from "../src/socket.js";
import { FakeServer } from "./fake-server.js";

const LONG_ENOUGH_MS = 11_000; // longer than any wait between two attempts

const typed = (text: string): Uint8Array => new TextEncoder().encode(text);

let server: FakeServer;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
});

afterEach(() => {
  server.socket.close();
  vi.useRealTimers();
});

describe("connecting", () => {
  it("states session, client, viewport and appearance in the address", () => {
    server.socket.start();
    const appearance = `0100110008${"010203".repeat(19)}`;
    const stated = { sessionId: "s1", client: "c1", rows: "24", cols: "80", appearance };
    expect(Object.fromEntries(server.wire.query)).toEqual(stated);
  });

  it("states another appearance when it has one, and may type", () => {
    server.socket.start();
    server.wire.accept();
    server.socket.restyle();
    expect(server.wire.of(0x87)).toEqual([]);
    server.wire.access(false);
    server.appearance = { ...server.appearance, dark: false, cellHeight: 34 };
    server.socket.restyle();
    expect(server.wire.of(0x87)).toEqual([]);
    server.wire.access(true);
    server.socket.restyle();
    const [stated, ...more] = server.wire.of(0x87);
    expect([stated?.slice(0, 6), more]).toEqual([Uint8Array.of(0x87, 0, 0, 34, 0, 8), []]);
  });

  it("is open with the hello, not before", () => {
    server.socket.start();
    expect(server.socket.state).toBe("connecting");
    server.wire.accept();
    expect(server.socket.state).toBe("open");
  });

  it("gives up an attempt that gets no answer", () => {
    server.socket.start();
    vi.advanceTimersByTime(10_000);
    expect(server.socket.state).toBe("waiting");
    vi.advanceTimersByTime(1000);
    expect(server.wires).toHaveLength(2);
  });

  it("states the viewport again if it changed under way", () => {
    server.socket.start();
    server.viewport = { rows: 30, cols: 100 };
    server.wire.accept();
    expect(server.wire.of(0x82)).toEqual([Uint8Array.of(0x82, 0, 30, 0, 100, 0)]);
    server.socket.resize();
    expect(server.wire.of(0x82)).toHaveLength(1);
  });

  it("tells whether the user can see it, also on the next connection", () => {
    server.socket.start();
    server.wire.accept();
    server.socket.setVisible(false);
    expect(server.wire.of(0x82)).toEqual([Uint8Array.of(0x82, 0, 24, 0, 80, 2)]);
    server.wire.break(1006);
    vi.advanceTimersByTime(LONG_ENOUGH_MS);
    server.wire.accept();
    expect(server.wire.of(0x82)).toEqual([Uint8Array.of(0x82, 0, 24, 0, 80, 2)]);
    server.socket.setVisible(true);
    expect(server.wire.of(0x82).at(-1)).toEqual(Uint8Array.of(0x82, 0, 24, 0, 80, 0));
  });

  it("takes the size on purpose, even if the viewport is known", () => {
    server.socket.start();
    server.wire.accept();
    server.socket.takeSize();
    expect(server.wire.of(0x82)).toEqual([Uint8Array.of(0x82, 0, 24, 0, 80, 1)]);
  });
});

describe("reconnecting", () => {
  it("goes on at the offset that was received", () => {
    server.socket.start();
    server.wire.accept({ start: 100n });
    server.wire.output(100n, "hello ");
    server.wire.break(1006);
    expect(server.socket.state).toBe("waiting");
    vi.advanceTimersByTime(LONG_ENOUGH_MS);
    expect(server.wire.query.get("since")).toBe("106");
    server.wire.accept({ start: 106n, live: 111n });
    server.wire.output(106n, "world");
    expect(server.screen).toBe("hello world");
  });

  it("clears the screen when the stream does not continue", () => {
    server.socket.start();
    server.wire.accept();
    server.wire.output(0n, "old");
    server.wire.break(1001);
    vi.advanceTimersByTime(LONG_ENOUGH_MS);
    server.wire.accept({ start: 5000n });
    server.wire.output(5000n, "new");
    expect(server.screen).toBe("new");
  });

  it("draws nothing twice, should output be repeated", () => {
    server.socket.start();
    server.wire.accept();
    server.wire.output(0n, "abc");
    server.wire.output(1n, "bcd");
    server.wire.output(0n, "ab");
    expect(server.screen).toBe("abcd");
  });

  it("waits longer after every failure, up to a limit", async () => {
    server.socket.start();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 9; attempt++) {
      const before = server.wires.length;
      server.wire.break();
      await vi.advanceTimersByTimeAsync(0); // the probe's answer
      let waited = 0;
      while (server.wires.length === before) {
        vi.advanceTimersByTime(10);
        waited += 10;
      }
      waits.push(waited);
    }
    expect(waits.slice(0, 4)).toEqual([190, 380, 750, 1500]);
    expect(Math.max(...waits)).toBe(7500);
  });

  it("tries at once when the network is back", () => {
    server.socket.start();
    server.wire.accept();
    server.wire.break();
    server.socket.wake();
    expect(server.wires).toHaveLength(2);
    vi.advanceTimersByTime(LONG_ENOUGH_MS - 2000);
    expect(server.wires).toHaveLength(2);
  });

  it("gives up a silent link", () => {
    server.socket.start();
    server.wire.accept();
    const first = server.wire;
    vi.advanceTimersByTime(1000);
    expect(first.pings).toHaveLength(1);
    vi.advanceTimersByTime(6000);
    expect(first.closedWith).toBe(1000);
    expect(server.socket.state).toBe("waiting");
  });

  it("keeps a link on which anything arrives, and measures it", () => {
    server.socket.start();
    server.wire.accept();
    vi.advanceTimersByTime(1000);
    const ping = server.wire.pings[0];
    vi.advanceTimersByTime(25);
    server.wire.deliver(Uint8Array.of(0x08, ...(ping?.subarray(1) ?? [])));
    expect(server.listener.latency).toHaveBeenCalledWith(25);
    vi.advanceTimersByTime(9000);
    expect(server.socket.state).toBe("open");
  });

  it("sends no pings while the page is hidden", () => {
    server.socket.start();
    server.socket.setVisible(false);
    server.wire.accept();
    vi.advanceTimersByTime(60_000);
    expect(server.wire.pings).toHaveLength(0);
    expect(server.socket.state).toBe("open");
    server.socket.setVisible(true);
    expect(server.wire.pings).toHaveLength(1);
  });
});

describe("the end", () => {
  it("does not connect again after the session has ended", () => {
    server.socket.start();
    server.wire.accept();
    server.wire.deliver(Uint8Array.of(0x06, 0, 0, 0, 3, 0));
    server.wire.break(1000, "exited 3");
    vi.advanceTimersByTime(60_000);
    expect(server.exits).toEqual([{ type: "exit", code: 3, signal: 0, reason: "" }]);
    expect(server.socket.state).toBe("ended");
    expect(server.wires).toHaveLength(1);
    expect(server.socket.send(typed("x"))).toBe(false);
  });

  it.each([
    ["unauthorized", "unauthorized"],
    ["missing", "missing"],
  ] as const)("asks why the upgrade failed: %s", async (probe, state) => {
    server.probe = probe;
    server.socket.start();
    server.wire.break();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.socket.state).toBe(state);
    expect(server.wires).toHaveLength(1);
  });

  it.each([
    ["forbidden", "forbidden"],
    ["unauthorized", "unauthorized"],
  ] as const)("asks what is left when access has ended: %s", async (probe, state) => {
    server.probe = probe;
    server.socket.start();
    server.wire.accept();
    server.wire.break(CLOSE_POLICY, "access has ended");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.socket.state).toBe(state);
    expect(server.wires).toHaveLength(1);
  });

  it("waits for a session that others have to start, and comes when it is told", async () => {
    server.probe = "asleep";
    server.socket.start();
    server.wire.break();
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.socket.state).toBe("asleep");
    expect(server.wires).toHaveLength(1);
    server.socket.wake();
    server.wire.accept({ flags: 0 });
    expect(server.socket.state).toBe("open");
  });

  it("comes back after it was put out only when it is told to", async () => {
    server.probe = "ok";
    server.socket.start();
    server.wire.accept();
    server.wire.break(CLOSE_PUT_OUT);
    server.socket.wake();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.socket.state).toBe("out");
    expect(server.wires).toHaveLength(1);
    server.socket.start();
    server.wire.accept();
    expect(server.socket.state).toBe("open");
  });

  it.each([
    [CLOSE_LOGIN_OVER, "unauthorized"],
    [CLOSE_PUT_OUT, "out"],
    [CLOSE_SESSION_REMOVED, "missing"],
  ] as const)("needs no words and no question to understand close code %d: %s", async (code, state) => {
    server.probe = "ok";
    server.socket.start();
    server.wire.accept();
    server.wire.break(code);
    expect(server.socket.state).toBe(state);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.socket.state).toBe(state);
    expect(server.wires).toHaveLength(1);
  });

  it.each(["logged out", "the owner of the session has put you out"])(
    "takes no meaning from the reason of a close: %s",
    async (reason) => {
      server.probe = "ok";
      server.socket.start();
      server.wire.accept();
      server.wire.break(CLOSE_POLICY, reason);
      await vi.advanceTimersByTimeAsync(1000);
      expect(server.wires).toHaveLength(2);
    },
  );

  it("lets go of everything on close()", () => {
    server.socket.start();
    server.wire.accept();
    server.socket.close();
    expect(server.wire.closedWith).toBe(1000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the right to type", () => {
  it("that a viewer lacks: nothing is sent, nothing is kept", () => {
    server.socket.start();
    server.socket.send(typed("too early"));
    server.wire.accept({ flags: 0 });
    expect(server.socket.send(typed("x"))).toBe(false);
    expect(server.wire.inputs).toEqual([]);
    expect(server.socket.unaccepted).toBe(0);
  });

  it("that is taken: what was not accepted is forgotten, and never sent again", () => {
    server.socket.start();
    server.wire.accept();
    server.socket.send(typed("rm -r"));
    server.wire.access(false);
    expect(server.listener.access).toHaveBeenLastCalledWith({ type: "access", writable: false, id: "c-1" });
    expect(server.socket.send(typed("f"))).toBe(false);
    expect(server.socket.unaccepted).toBe(0);
    server.wire.break();
    vi.advanceTimersByTime(LONG_ENOUGH_MS);
    server.wire.accept({ accepted: 5n });
    server.socket.send(typed("ls"));
    expect(server.wire.inputs).toEqual([{ offset: 5n, text: "ls" }]);
  });

  it("that is given again: input continues after the discarded bytes, and the viewport is stated", () => {
    server.socket.start();
    server.wire.accept({ accepted: 10n });
    server.socket.send(typed("abc"));
    server.wire.access(false);
    server.viewport = { rows: 30, cols: 100 };
    server.socket.resize();
    expect(server.wire.of(0x82)).toEqual([]);
    server.wire.access(true);
    server.wire.accepted(13n);
    expect(server.wire.of(0x82)).toEqual([Uint8Array.of(0x82, 0, 30, 0, 100, 0)]);
    server.socket.send(typed("d"));
    expect(server.wire.inputs).toEqual([
      { offset: 10n, text: "abc" },
      { offset: 13n, text: "d" },
    ]);
  });

  it("that comes as it was changes nothing", () => {
    server.socket.start();
    server.wire.accept();
    server.socket.send(typed("abc"));
    server.wire.access(true);
    expect(server.socket.unaccepted).toBe(3);
    expect(server.wire.of(0x82)).toEqual([]);
  });
});

describe("presence", () => {
  const ada = { id: "c-1", user: "ada", role: "owner", writable: true, guest: false, since: "2026-01-02T03:04:05Z" };

  it("is told", () => {
    server.socket.start();
    server.wire.accept();
    server.wire.presence(JSON.stringify({ people: [ada], more: 2 }));
    expect(server.listener.present).toHaveBeenCalledWith({ people: [ada], more: 2 });
  });

  it("that cannot be parsed is ignored", () => {
    server.socket.start();
    server.wire.accept();
    server.wire.presence("{");
    expect(server.listener.present).not.toHaveBeenCalled();
    expect(server.socket.state).toBe("open");
  });
});

describe("input", () => {
  it("waits for the hello, and starts at the accepted offset", () => {
    server.socket.start();
    server.socket.send(typed("ls\r"));
    expect(server.wire.inputs).toEqual([]);
    server.wire.accept({ accepted: 40n });
    expect(server.wire.inputs).toEqual([{ offset: 40n, text: "ls\r" }]);
  });

  it("is sent again after a reconnect, as far as it was not accepted", () => {
    server.socket.start();
    server.wire.accept();
    server.socket.send(typed("abc"));
    server.socket.send(typed("def"));
    server.wire.accepted(2n);
    server.wire.break();
    server.socket.send(typed("ghi"));
    vi.advanceTimersByTime(LONG_ENOUGH_MS);
    server.wire.accept({ accepted: 4n });
    expect(server.wire.inputs).toEqual([
      { offset: 4n, text: "ef" },
      { offset: 6n, text: "ghi" },
    ]);
    server.wire.accepted(9n);
    expect(server.socket.unaccepted).toBe(0);
  });

  it("is sent once while the connection lasts", () => {
    server.socket.start();
    server.wire.accept();
    server.socket.send(typed("a"));
    server.socket.send(typed("b"));
    server.wire.accepted(1n);
    server.socket.send(typed("c"));
    expect(server.wire.inputs).toEqual([
      { offset: 0n, text: "a" },
      { offset: 1n, text: "b" },
      { offset: 2n, text: "c" },
    ]);
  });

  it("is not sent again when all of it had arrived", () => {
    server.socket.start();
    server.wire.accept();
    server.socket.send(typed("rm x\r"));
    server.wire.break();
    vi.advanceTimersByTime(LONG_ENOUGH_MS);
    server.wire.accept({ accepted: 5n });
    expect(server.wire.inputs).toEqual([]);
    expect(server.socket.unaccepted).toBe(0);
  });

  it("is numbered anew for a server that does not remember this client", () => {
    server.socket.start();
    server.wire.accept({ accepted: 100n });
    server.socket.send(typed("abc"));
    server.wire.break();
    vi.advanceTimersByTime(LONG_ENOUGH_MS);
    server.wire.accept({ accepted: 0n });
    expect(server.wire.inputs).toEqual([{ offset: 0n, text: "abc" }]);
  });

  it("is cut into messages that the server takes", () => {
    server.socket.start();
    server.wire.accept();
    server.socket.send(new Uint8Array(INPUT_CHUNK * 2 + 7));
    expect(server.wire.inputs.map((each) => [each.offset, each.text.length])).toEqual([
      [0n, INPUT_CHUNK],
      [BigInt(INPUT_CHUNK), INPUT_CHUNK],
      [BigInt(2 * INPUT_CHUNK), 7],
    ]);
  });

  it("is held back while the network is slower", () => {
    server.socket.start();
    server.wire.accept();
    server.wire.bufferedAmount = 1024 * 1024;
    server.socket.send(typed("later"));
    expect(server.wire.inputs).toEqual([]);
    server.wire.bufferedAmount = 0;
    vi.advanceTimersByTime(20);
    expect(server.wire.inputs).toEqual([{ offset: 0n, text: "later" }]);
  });

  it("is refused beyond the limit, and by a read-only connection", () => {
    server.socket.start();
    expect(server.socket.send(new Uint8Array(PENDING_LIMIT + 1))).toBe(false);
    server.wire.accept({ flags: 0 });
    expect(server.socket.send(typed("x"))).toBe(false);
    expect(server.wire.inputs).toEqual([]);
  });
});

describe("acknowledgements", () => {
  it("are sent before half the window is drawn", () => {
    server.socket.start();
    server.wire.accept({ start: 1000n, window: 400 });
    server.wire.output(1000n, "x".repeat(400));
    server.socket.drawn(1099n);
    expect(server.wire.acks).toEqual([]);
    server.socket.drawn(1150n);
    expect(server.wire.acks).toEqual([1150n]);
    server.socket.drawn(1200n);
    expect(server.wire.acks).toEqual([1150n]);
  });

  it("follow for the rest when output pauses", () => {
    server.socket.start();
    server.wire.accept();
    server.wire.output(0n, "prompt");
    server.socket.drawn(6n);
    vi.advanceTimersByTime(250);
    expect(server.wire.acks).toEqual([6n]);
  });

  it("never go beyond what this stream has brought", () => {
    server.socket.start();
    server.wire.accept({ start: 5000n });
    server.wire.output(5000n, "x".repeat(1000));
    server.wire.break();
    vi.advanceTimersByTime(LONG_ENOUGH_MS);
    server.wire.accept({ start: 10n });
    server.socket.drawn(6000n); // a callback of the old stream
    vi.advanceTimersByTime(250);
    expect(server.wire.acks).toEqual([]);
  });
});

describe("a redraw", () => {
  it("replaces what was received, and output continues after it", () => {
    server.socket.start();
    server.wire.accept();
    server.wire.output(0n, "slow");
    server.wire.redraw(9000n, "screen ");
    server.wire.output(9000n, "and on");
    expect(server.screen).toBe("screen and on");
    server.wire.break();
    vi.advanceTimersByTime(LONG_ENOUGH_MS);
    expect(server.wire.query.get("since")).toBe("9006");
  });

  it("is acknowledged as soon as it is drawn, also where nothing was printed since the hello", () => {
    server.socket.start();
    server.wire.accept({ start: 700n });
    server.wire.redraw(700n, "screen");
    expect(server.wire.acks).toEqual([]);
    server.socket.drawn(700n);
    expect(server.wire.acks).toEqual([700n]);
    server.wire.redraw(90_000n, "screen");
    server.socket.drawn(800n); // output before it, drawn late
    expect(server.wire.acks).toEqual([700n]);
    server.socket.drawn(90_000n);
    expect(server.wire.acks).toEqual([700n, 90_000n]);
  });

  it("continues what was received only where it was asked for and nothing is missing", () => {
    const asked = { type: "redraw", before: 0n, count: 10, depth: 0 } as const;
    server.socket.start();
    expect(server.socket.ask(asked)).toBe(false);
    server.wire.accept();
    server.wire.output(0n, "abc");
    server.wire.redraw(3n, "");
    expect(server.socket.ask(asked)).toBe(true);
    expect(server.wire.of(0x86)).toEqual([Uint8Array.of(0x86)]);
    server.wire.redraw(3n, "");
    server.socket.ask(asked);
    server.wire.redraw(50n, "");
    expect(server.redraws).toEqual([false, true, false]);
  });
});

describe("older lines", () => {
  const asked = { type: "lines", before: 5000n, count: 1000, depth: 40 } as const;

  it("are asked for, and handed on", () => {
    server.socket.start();
    server.wire.accept();
    expect(server.socket.ask(asked)).toBe(true);
    expect(server.wire.of(0x85)).toEqual([Uint8Array.of(0x85, 0, 0, 0, 0, 0, 0, 0x13, 0x88, 0, 0, 0x03, 0xe8)]);
    server.wire.lines(4000n, 1000, true);
    expect(server.lines).toEqual([4000n]);
  });

  it("will not come any more when the connection is another", () => {
    server.socket.start();
    server.wire.accept();
    server.socket.ask(asked);
    server.wire.break();
    vi.advanceTimersByTime(LONG_ENOUGH_MS);
    server.wire.accept();
    expect(server.listener.unanswered).toHaveBeenCalledTimes(2); // with each hello
  });

  it("of a session that has ended come on a second connection that the listener does not see", () => {
    server.socket.start();
    server.wire.accept();
    server.wire.redraw(80n, "last screen");
    server.wire.deliver(Uint8Array.of(0x06, 0, 0, 0, 0, 0));
    server.wire.break(1000, "exited 0");
    const states = server.states.length;
    expect(server.socket.ask(asked)).toBe(true);
    const archive = server.wire;
    expect(Object.fromEntries(archive.query)).toEqual({ sessionId: "s1", permission: "view", scrollback: "1040" });
    expect(server.socket.ask(asked)).toBe(true);
    expect(server.wire).toBe(archive);
    archive.accept({ start: 80n });
    archive.redraw(80n, "last screen");
    archive.lines(4000n, 1000, true);
    expect([server.redraws, server.lines]).toEqual([[false, true], [4000n]]);
    expect([server.states.length, server.exits.length]).toEqual([states, 1]);
    expect(archive.closedWith).toBe(1000);
    server.socket.ask(asked);
    expect(server.wire).not.toBe(archive);
  });
});
