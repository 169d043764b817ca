// In a session's page: has output printed step by step, and looks at the cells after each step. tests/web/shown.py gives
// this text to the page, after that of look.mjs, and knows what has to be seen.

const PATIENCE_MS = 60_000; // for one step
const GLANCE_MS = 16;

// A report of a terminal, so it takes no size. The program of the session prints its next piece for each.
const NEXT = new TextEncoder().encode("\x1b[7n");

/** Wait until something holds. It is asked again whenever the client has drawn something. */
function until(holds, what) {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const end = (settle, result) => {
      clearInterval(timer);
      drawn?.dispose();
      settle(result);
    };
    const ask = () => {
      if (holds()) end(resolve);
      else if (performance.now() - began > PATIENCE_MS) end(reject, new Error(`it never came: ${what}`));
    };
    const timer = setInterval(ask, GLANCE_MS);
    const drawn = terminal()?.view?.term.onWriteParsed(ask);
    ask();
  });
}

function terminal() {
  return document.querySelector("vt-terminal");
}

/** Whether the client is connected, and has drawn the redraw that it was sent last. */
function isSettled() {
  const { status, view, socket } = terminal() ?? {};
  if (status?.state !== "open") return false;
  const { again, held } = view.history;
  return held.base !== undefined && !again && socket.owed === undefined;
}

function go(path) {
  history.pushState(null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
}

const STEPS = {
  look: () => undefined,

  /** The next piece is printed. */
  print: () => terminal().input(NEXT),

  /** The next piece is printed while the client has no connection, or when it is back. */
  lose: () => {
    terminal().input(NEXT);
    terminal().socket.lost(1006, "lost by a test", true);
    terminal().reconnect();
  },

  /** A redraw is drawn over what is there. The client would skip it, because its screen shows that already. */
  redraw: async () => {
    const client = terminal();
    client.redraw = (redraw) => {
      delete client.redraw;
      client.redraw(redraw, false);
    };
    client.socket.ask({ type: "redraw", before: 0n, count: 0, depth: 0 });
    await until(() => !Object.hasOwn(client, "redraw"), "a redraw");
  },

  /** The user leaves the page and comes back: a new client in the same document. */
  "come back": async () => {
    const path = location.pathname;
    go("/elsewhere");
    await until(() => !terminal(), "another page");
    go(path);
  },
};

/**
 * steps   [what, offset]: one of STEPS, and how far the screen has to be drawn then
 * Returns JSON: what is seen after each step, or null if nothing new was drawn.
 */
async function watch(steps) {
  const seen = [];
  let before;
  for (const [what, offset] of steps) {
    await until(() => isSettled(), "a settled terminal");
    await STEPS[what]();
    await until(() => isSettled() && terminal().offset >= offset, `offset ${offset}, by "${what}"`);
    const now = terminal().offset;
    seen.push(what === "print" && now === before ? null : look(terminal().view.term));
    before = now;
  }
  return JSON.stringify(seen);
}
