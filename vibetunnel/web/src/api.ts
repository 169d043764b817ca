/** The server's REST interface, typed. Every failure is an ApiError with a sentence for the user. */

import { href } from "./base.js";
import { type Bytes, type Sent, sendBytes } from "./transfer.js";
import type { User } from "./users.js";

export type SessionStatus = "created" | "starting" | "running" | "exited";

/** How far a program says that it is. percent: null if it does not know. */
export interface Progress {
  readonly state: "set" | "error" | "indeterminate" | "paused";
  readonly percent: number | null;
}

/** A text that a program wants a person to see. */
export interface Notice {
  readonly title: string;
  readonly body: string;
  readonly urgency: "low" | "normal" | "critical";
  readonly at: string;
}

export interface Session {
  readonly id: string;
  readonly name: string;
  readonly command: readonly string[];
  readonly workingDir: string;
  readonly status: SessionStatus;
  readonly lazy?: boolean;
  readonly pid?: number;
  readonly exitCode?: number;
  readonly signal?: number | string;
  readonly reason?: string;
  /** How many of its processes run on after its program has ended. */
  readonly processesLeft?: number;
  readonly rows: number;
  readonly cols: number;
  readonly clients: number;
  /** Name of the account that made it. */
  readonly owner?: string;
  readonly title?: string;
  readonly folder?: string;
  readonly progress?: Progress | null;
  readonly notification?: Notice | null;
  /** CSS name of the pointer's shape that the program has set. */
  readonly pointer?: string;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly lastModified?: string;
  /** The git repository that the folder is in; without one, all fields of git are left out. */
  readonly gitRepoPath?: string;
  /** Left out while HEAD is detached. */
  readonly gitBranch?: string;
  readonly gitIsWorktree?: boolean;
  readonly gitChangedCount?: number;
  /** Commits; left out without an upstream branch. */
  readonly gitAheadCount?: number;
  readonly gitBehindCount?: number;
}

export interface CreateOrder {
  readonly command?: string;
  readonly workingDir?: string;
  readonly name?: string;
}

export interface LoginLink {
  readonly url: string;
  /** null if the server asks for no login. */
  readonly code: string | null;
}

export interface AuthConfig {
  readonly noAuth: boolean;
  /** Whether there are accounts with passwords, or the server checks the system's passwords. */
  readonly passwords?: boolean;
  readonly disallowUserPassword?: boolean;
  /** Whether the server's pages are those of another client, which keeps its token itself. */
  readonly webClient?: boolean;
}

/** A login with its access token. */
export interface Tokens {
  readonly userId: string;
  readonly token: string;
}

export type ShareRole = "view" | "type";

export interface ShareOrder {
  readonly role: ShareRole;
  /** Seconds from now; null: never. */
  readonly expires: number | null;
  /** How many people may use it; null: any number. */
  readonly uses: number | null;
  readonly name: string;
}

/** A link to one session. */
export interface Share {
  readonly id: string;
  readonly sessionId: string;
  readonly role: ShareRole;
  /** The name of its guests. */
  readonly name: string;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAt: string | null;
  readonly uses: number | null;
  readonly used: number;
  /** Guests of this link who are here now. */
  readonly people: number;
}

/** A new link, with its address, which the server tells only once. */
export interface CreatedShare extends Share {
  readonly url: string;
}

/** The session of a share link. */
export interface Entered {
  readonly sessionId: string;
  readonly role: ShareRole;
  readonly name: string;
}

export interface ServerConfig {
  readonly version?: string;
  readonly defaultCommand?: readonly string[];
  readonly workingDir?: string;
  readonly notificationPreferences?: NotificationPreferences;
}

export type LogLevel = "debug" | "log" | "warn" | "error";

/** One line of the server's log. */
export interface LogLine {
  readonly number: number;
  readonly at: string;
  readonly level: LogLevel;
  readonly module: string;
  readonly text: string;
  /** Whose page has sent it; absent: the server itself says it. */
  readonly user?: string;
}

export interface Download {
  readonly bytes: Blob;
  /** Another one when the bytes have changed. */
  readonly tag: string;
}

/** Which events the user is notified of. */
export interface NotificationPreferences {
  readonly enabled: boolean;
  readonly sessionStart: boolean;
  readonly sessionExit: boolean;
  readonly commandCompletion: boolean;
  readonly commandError: boolean;
  readonly bell: boolean;
  readonly claudeTurn: boolean;
  readonly soundEnabled: boolean;
  readonly vibrationEnabled: boolean;
}

/** What has become of a notification to all devices of the user. */
export interface PushTest {
  readonly sent: number;
  readonly failed: number;
  readonly errors: readonly string[];
}

/** A request that failed. `status` is 0 if there was no answer. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  /** `code`: a failure that the client can repair; `retryAfter_s`: seconds to wait after a 429. */
  constructor(
    readonly status: number,
    message: string,
    readonly code = "",
    readonly retryAfter_s = 0,
  ) {
    super(message);
  }
}

const TIMEOUT_MS = 20_000; // a kill waits for the grace period; nothing takes longer

const LOGOUT_MS = 1_000; // how long a logout waits for the answers of other requests
const RETRY_AFTER_S = 10; // if a proxy answers 429 without a time
const CSRF_HEADER = "X-CSRF-Token";
const UNREACHABLE = "The server does not answer. Is it running, and is this device online?";

export interface ApiListener {
  /** An answer says that the login is missing or has ended. */
  unauthorized(): void;
  /** An answer says that the user may not do this: what the client knows about the user may be old. */
  forbidden(): void;
}

const NOBODY_LISTENS: ApiListener = { unauthorized: () => undefined, forbidden: () => undefined };

export class Api {
  /** Sent with every request that changes something; undefined: not fetched yet, null: there is none. */
  private csrfToken: string | null | undefined;
  /** The requests of JSON that have no answer yet. */
  private readonly underWay = new Set<Promise<unknown>>();

  constructor(private readonly listener: ApiListener = NOBODY_LISTENS) {}

  sessions(): Promise<Session[]> {
    return this.request<Session[]>("GET", "/api/sessions");
  }

  session(id: string): Promise<Session> {
    return this.request<Session>("GET", sessionUrl(id));
  }

  /** Have the server look at the git repository of the session's folder. An event tells what has changed. */
  lookAtRepository(id: string): Promise<unknown> {
    return this.request("GET", `${sessionUrl(id)}/git-status`);
  }

  /** Where a picture of the session's terminal is. */
  pictureUrl(id: string, key: string): string {
    return href(`${sessionUrl(id)}/pictures/${key}`);
  }

  create(order: CreateOrder): Promise<Session> {
    return this.request<Session>("POST", "/api/sessions", order);
  }

  rename(id: string, name: string): Promise<unknown> {
    return this.request("PATCH", sessionUrl(id), { name });
  }

  kill(id: string): Promise<unknown> {
    return this.request("DELETE", sessionUrl(id));
  }

  /** Remove an exited session. */
  cleanUp(id: string): Promise<unknown> {
    return this.request("DELETE", `${sessionUrl(id)}/cleanup`);
  }

  /** Remove all exited sessions. */
  cleanUpExited(): Promise<unknown> {
    return this.request("POST", "/api/cleanup-exited");
  }

  config(): Promise<ServerConfig> {
    return this.request<ServerConfig>("GET", "/api/config");
  }

  authConfig(): Promise<AuthConfig> {
    return this.request<AuthConfig>("GET", "/api/auth/config");
  }

  /** The user. */
  async user(): Promise<User> {
    const user = await this.request<User>("GET", "/api/auth/current-user");
    this.csrfToken = user.csrfToken ?? null;
    return user;
  }

  /** Exchange a one-time code for a session cookie. A wrong code is an ApiError with status 401. */
  loginByCode(code: string, { token = false } = {}): Promise<Tokens> {
    return this.logIn("/api/auth/code", token ? { code, token } : { code });
  }

  /** A wrong name or password is an ApiError with status 401. */
  loginByPassword(userId: string, password: string): Promise<Tokens> {
    return this.logIn("/api/auth/password", { userId, password });
  }

  /** Use a share link. One that is no longer valid is an ApiError with status 401. */
  enter(code: string): Promise<Entered> {
    return this.logIn<Entered>("/api/auth/share", { code });
  }

  async logout(): Promise<void> {
    // Requests may overtake each other: those under way would be refused.
    await Promise.race([Promise.allSettled(this.underWay), new Promise((done) => setTimeout(done, LOGOUT_MS))]);
    await this.request("POST", "/api/auth/logout");
    this.csrfToken = undefined;
  }

  /** A new link that logs one more device in. */
  loginLink(): Promise<LoginLink> {
    return this.request<LoginLink>("POST", "/api/auth/link");
  }

  shares(sessionId: string): Promise<Share[]> {
    return this.request<Share[]>("GET", `${sessionUrl(sessionId)}/shares`);
  }

  createShare(sessionId: string, order: ShareOrder): Promise<CreatedShare> {
    return this.request<CreatedShare>("POST", `${sessionUrl(sessionId)}/shares`, order);
  }

  /** Revoke a link. Its guests lose access at once. */
  revokeShare(sessionId: string, shareId: string): Promise<unknown> {
    return this.request("DELETE", `${sessionUrl(sessionId)}/shares/${encodeURIComponent(shareId)}`);
  }

  /** Give the right to type to an attached client, or take it. */
  permit(sessionId: string, clientId: string, writable: boolean): Promise<unknown> {
    return this.request("PATCH", `${sessionUrl(sessionId)}/clients/${encodeURIComponent(clientId)}`, { writable });
  }

  /** End a client's connection to the session. */
  putOut(sessionId: string, clientId: string): Promise<unknown> {
    return this.request("DELETE", `${sessionUrl(sessionId)}/clients/${encodeURIComponent(clientId)}`);
  }

  /** The lines of the server's log after number `after`, oldest first. For owners. */
  logLines(after: number): Promise<LogLine[]> {
    return this.request<LogLine[]>("GET", `/api/logs?after=${after}`);
  }

  clearLog(): Promise<unknown> {
    return this.request("DELETE", "/api/logs/clear");
  }

  chooseNotifications(changes: Partial<NotificationPreferences>): Promise<unknown> {
    return this.request("PUT", "/api/config", { notificationPreferences: changes });
  }

  /** The key to subscribe with. While the server sends no notifications, an ApiError with status 503 says why. */
  async pushKey(): Promise<string> {
    return (await this.request<{ publicKey: string }>("GET", "/api/push/vapid-public-key")).publicKey;
  }

  subscribe(subscription: PushSubscriptionJSON): Promise<unknown> {
    return this.request("POST", "/api/push/subscribe", subscription);
  }

  unsubscribe(endpoint: string): Promise<unknown> {
    return this.request("POST", "/api/push/unsubscribe", { endpoint });
  }

  testPush(): Promise<PushTest> {
    return this.request<PushTest>("POST", "/api/push/test");
  }

  private async logIn<Answer>(path: string, body: object): Promise<Answer> {
    const answer = await this.request<Answer>("POST", path, body, { loggingIn: true });
    this.csrfToken = undefined; // it belongs to the earlier login
    return answer;
  }

  /** One request of JSON. For the interfaces of other modules; those above use it too. */
  async request<Answer>(
    method: string,
    path: string,
    body?: object,
    { loggingIn = false, timeout_ms = TIMEOUT_MS } = {},
  ): Promise<Answer> {
    const changes = method !== "GET";
    const answer = this.attempt(changes, loggingIn, () => this.send<Answer>(method, path, body, changes, timeout_ms));
    this.underWay.add(answer);
    try {
      return await answer;
    } finally {
      this.underWay.delete(answer);
    }
  }

  /** Send bytes. It takes as long as it takes; `signal` ends it, with an AbortError. */
  upload<Answer>(method: string, path: string, bytes: Bytes, sent: Sent, signal: AbortSignal): Promise<Answer> {
    return this.attempt(true, false, async () => {
      const { status, text, retryAfter } = await sendBytes(method, href(path), this.headers(true), bytes, sent, signal);
      return answerOf<Answer>(status, parsed(text), retryAfter);
    });
  }

  /** Get bytes. undefined: they are still those that have the tag `known`. */
  download(path: string, signal: AbortSignal, known?: string): Promise<Download | undefined> {
    return this.attempt(false, false, async () => {
      const headers: HeadersInit = known ? { "If-None-Match": known } : {};
      const response = await reached(fetch(href(path), { credentials: "same-origin", headers, signal }), signal);
      if (response.status === 304) return undefined;
      if (response.ok) {
        return { bytes: await reached(response.blob(), signal), tag: response.headers.get("ETag") ?? "" };
      }
      return answerOf<never>(response.status, parsed(await response.text()), null);
    });
  }

  private async attempt<Answer>(changes: boolean, loggingIn: boolean, send: () => Promise<Answer>): Promise<Answer> {
    if (changes && this.csrfToken === undefined) await this.askForToken();
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (changes && error.status === 403 && error.code === "csrf") {
        // Another tab has logged in or out since: the cookie now belongs to another login than this token.
        await this.askForToken();
        return send();
      }
      if (error.status === 401 && !loggingIn) this.listener.unauthorized();
      if (error.status === 403) this.listener.forbidden();
      throw error;
    }
  }

  private async askForToken(): Promise<void> {
    await this.user().catch(() => undefined); // the request itself reports the error
  }

  private headers(changes: boolean): Headers {
    const headers = new Headers();
    if (changes && this.csrfToken) headers.set(CSRF_HEADER, this.csrfToken);
    return headers;
  }

  /** One request and its answer. */
  private async send<Answer>(method: string, path: string, body: object | undefined, changes: boolean, timeout_ms: number) {
    const headers = this.headers(changes);
    const init: RequestInit = { method, headers, credentials: "same-origin", signal: AbortSignal.timeout(timeout_ms) };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      headers.set("Content-Type", "application/json");
    }
    const response = await reached(fetch(href(path), init));
    const text = await reached(response.text());
    return answerOf<Answer>(response.status, parsed(text), response.headers.get("Retry-After"));
  }
}

/** What comes from the server; ApiError if nothing does, unless the caller has ended it. */
async function reached<T>(coming: Promise<T>, ended?: AbortSignal): Promise<T> {
  try {
    return await coming;
  } catch (error) {
    if (ended?.aborted) throw error;
    throw new ApiError(0, UNREACHABLE);
  }
}

/** The answer; ApiError for a refusal. The server's tests check its answers against openapi.json. */
function answerOf<Answer>(status: number, answer: unknown, retryAfterHeader: string | null): Answer {
  if (status === 0) throw new ApiError(0, UNREACHABLE);
  if (status >= 200 && status < 300) return answer as Answer;
  const retryAfter_s = status === 429 ? retryAfter(retryAfterHeader) : 0;
  const text = said(answer, "message") ?? said(answer, "error") ?? fallback(status);
  throw new ApiError(status, text, said(answer, "code") ?? "", retryAfter_s);
}

/** Seconds from a Retry-After header (RFC 9110 §10.2.3), which has a number or a date. */
export function retryAfter(header: string | null, now_ms: number = Date.now()): number {
  const text = header?.trim() ?? "";
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - now_ms) / 1000;
  return seconds >= 0 ? Math.max(1, Math.ceil(seconds)) : RETRY_AFTER_S; // NaN: neither
}

function sessionUrl(id: string): string {
  return `/api/sessions/${encodeURIComponent(id)}`;
}

function parsed(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's error page
  }
}

function said(answer: unknown, field: "error" | "code" | "message"): string | undefined {
  if (typeof answer !== "object" || answer === null || !(field in answer)) return undefined;
  const value: unknown = (answer as Record<string, unknown>)[field];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function fallback(status: number): string {
  if (status === 401) return "You are not logged in.";
  if (status === 403) return "You are not allowed to do this.";
  if (status === 404) return "This session no longer exists.";
  if (status === 429) return "Too many attempts. Wait a moment, then try again.";
  return `The server answered with an error (${status}).`;
}

/** The text to show for anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
