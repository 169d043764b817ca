/** The other end of a SessionSocket: a fake WebSocket, and helpers that speak for the server. */

import { vi } from "vitest";

import { type Appearance, type Exit, type Hello } from "../src/protocol.js";
import { type Probe, SessionSocket, type SocketListener, type Viewport, type Wire } from "../src/socket.js";

export class FakeWire implements Wire {
  binaryType = "blob";
  readyState = 0;
  bufferedAmount = 0;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  readonly sent: Uint8Array[] = [];
  closedWith: number | undefined;

  constructor(readonly path: string) {}

  get query(): URLSearchParams {
    return new URLSearchParams(this.path.split("?")[1]);
  }

  send(data: Uint8Array): void {
    this.sent.push(data.slice());
  }

  close(code?: number): void {
    this.readyState = 3;
    this.closedWith = code;
  }

  // Actions of the server

  accept(hello: Partial<HelloFields> = {}): void {
    this.readyState = 1;
    this.onopen?.({} as Event);
    const { start = 0n, live = start, accepted = 0n, window = 1024, flags = 3, rows = 24, cols = 80 } = hello;
    const bytes = new Uint8Array(35);
    const view = new DataView(bytes.buffer);
    bytes.set([0x03, 1, flags]);
    view.setUint16(3, rows);
    view.setUint16(5, cols);
    view.setBigUint64(7, start);
    view.setBigUint64(15, live);
    view.setBigUint64(23, accepted);
    view.setUint32(31, window);
    this.deliver(bytes);
  }

  output(offset: bigint, text: string): void {
    const data = new TextEncoder().encode(text);
    const bytes = new Uint8Array(9 + data.length);
    bytes[0] = 0x01;
    new DataView(bytes.buffer).setBigUint64(1, offset);
    bytes.set(data, 9);
    this.deliver(bytes);
  }

  redraw(offset: bigint, text: string): void {
    const data = new TextEncoder().encode(text);
    const bytes = new Uint8Array(30 + data.length);
    const view = new DataView(bytes.buffer);
    bytes[0] = 0x02;
    view.setBigUint64(1, offset);
    view.setUint16(25, 24);
    view.setUint16(27, 80);
    bytes.set(data, 30);
    this.deliver(bytes);
  }

  lines(first: bigint, count: number, last: boolean): void {
    const bytes = new Uint8Array(22);
    const view = new DataView(bytes.buffer);
    bytes[0] = 0x0b;
    view.setBigUint64(1, first);
    view.setUint32(9, count);
    bytes[21] = last ? 1 : 0;
    this.deliver(bytes);
  }

  accepted(offset: bigint): void {
    const bytes = new Uint8Array(9);
    bytes[0] = 0x09;
    new DataView(bytes.buffer).setBigUint64(1, offset);
    this.deliver(bytes);
  }

  access(writable: boolean, id = "c-1"): void {
    this.deliver(Uint8Array.from([0x0c, writable ? 1 : 0, ...new TextEncoder().encode(id)]));
  }

  presence(text: string): void {
    this.deliver(Uint8Array.from([0x0a, ...new TextEncoder().encode(text)]));
  }

  deliver(bytes: Uint8Array<ArrayBuffer>): void {
    this.onmessage?.({ data: bytes.buffer } as MessageEvent);
  }

  break(code = 1006, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason } as CloseEvent);
  }

  // Messages from the client

  get inputs(): readonly { readonly offset: bigint; readonly text: string }[] {
    return this.of(0x81).map((each) => ({ offset: offsetOf(each), text: new TextDecoder().decode(each.subarray(9)) }));
  }

  get acks(): readonly bigint[] {
    return this.of(0x83).map(offsetOf);
  }

  get pings(): readonly Uint8Array[] {
    return this.of(0x84);
  }

  of(kind: number): readonly Uint8Array[] {
    return this.sent.filter((each) => each[0] === kind);
  }
}

interface HelloFields extends Pick<Hello, "start" | "live" | "accepted" | "window" | "rows" | "cols"> {
  readonly flags: number;
}

function offsetOf(message: Uint8Array): bigint {
  return new DataView(message.buffer, message.byteOffset).getBigUint64(1);
}

export class FakeServer {
  readonly wires: FakeWire[] = [];
  probe: Probe = "unreachable";
  viewport: Viewport = { rows: 24, cols: 80 };
  appearance: Appearance = { dark: true, cellHeight: 17, cellWidth: 8, colours: Array<number>(19).fill(0x010203) };
  screen = "";
  readonly states: string[] = [];
  readonly exits: Exit[] = [];
  readonly redraws: boolean[] = []; // whether each one continued the earlier output
  readonly lines: bigint[] = []; // the first line of each piece
  readonly listener: SocketListener = {
    state: (state) => void this.states.push(state),
    hello: (_hello, fresh) => {
      if (fresh) this.screen = "";
    },
    output: (data) => {
      this.screen += new TextDecoder().decode(data);
    },
    redraw: (redraw, continues) => {
      this.redraws.push(continues);
      if (!continues) this.screen = new TextDecoder().decode(redraw.data);
    },
    lines: (lines) => void this.lines.push(lines.first),
    unanswered: vi.fn(),
    resize: vi.fn(),
    titled: vi.fn(),
    access: vi.fn(),
    present: vi.fn(),
    exit: (exit) => void this.exits.push(exit),
    error: vi.fn(),
    latency: vi.fn(),
  };

  readonly socket = new SessionSocket({
    sessionId: "s1",
    clientId: "c1",
    viewport: () => this.viewport,
    appearance: () => this.appearance,
    probe: () => Promise.resolve(this.probe),
    listener: this.listener,
    connect: (path) => {
      const wire = new FakeWire(path);
      this.wires.push(wire);
      return wire;
    },
    random: () => 0.5,
  });

  /** The newest connection. */
  get wire(): FakeWire {
    const wire = this.wires.at(-1);
    if (!wire) throw new Error("expected a connection, got none");
    return wire;
  }
}
