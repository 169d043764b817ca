/** The server's REST interface, typed. Every failure is an ApiError with a sentence for the person at the screen. */

export type SessionStatus = "created" | "starting" | "running" | "exited";

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
  readonly rows: number;
  readonly cols: number;
  readonly clients: number;
  readonly title?: string;
  readonly folder?: string;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly lastModified?: string;
}

export interface CreateOrder {
  readonly command?: string;
  readonly workingDir?: string;
  readonly name?: string;
}

export interface LoginLink {
  readonly url: string;
  /** null where nobody is asked for a login. */
  readonly code: string | null;
}

export interface AuthConfig {
  readonly noAuth: boolean;
}

export interface ServerConfig {
  readonly version?: string;
  readonly defaultCommand?: readonly string[];
  readonly workingDir?: string;
}

/** A request that failed. `status` is 0 when there was no answer. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const TIMEOUT_MS = 20_000; // a kill waits for the grace period; nothing takes longer

export class Api {
  /** `onUnauthorized` is called when an answer says that the login is missing or over. */
  constructor(private readonly onUnauthorized: () => void = () => undefined) {}

  sessions(): Promise<Session[]> {
    return this.request<Session[]>("GET", "/api/sessions");
  }

  session(id: string): Promise<Session> {
    return this.request<Session>("GET", sessionUrl(id));
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

  /** Forget an exited session. */
  cleanUp(id: string): Promise<unknown> {
    return this.request("DELETE", `${sessionUrl(id)}/cleanup`);
  }

  /** Forget all exited sessions. */
  cleanUpExited(): Promise<unknown> {
    return this.request("POST", "/api/cleanup-exited");
  }

  config(): Promise<ServerConfig> {
    return this.request<ServerConfig>("GET", "/api/config");
  }

  authConfig(): Promise<AuthConfig> {
    return this.request<AuthConfig>("GET", "/api/auth/config");
  }

  async loggedIn(): Promise<boolean> {
    const user = await this.request<{ authenticated?: boolean }>("GET", "/api/auth/current-user");
    return user.authenticated === true;
  }

  /** Exchange a one-time code for a session cookie. A wrong code is an ApiError with status 401. */
  login(code: string): Promise<unknown> {
    return this.request("POST", "/api/auth/code", { code }, { loggingIn: true });
  }

  logout(): Promise<unknown> {
    return this.request("POST", "/api/auth/logout");
  }

  /** A fresh link that logs another device in, once. */
  loginLink(): Promise<LoginLink> {
    return this.request<LoginLink>("POST", "/api/auth/link");
  }

  private async request<Answer>(
    method: string,
    path: string,
    body?: object,
    { loggingIn = false } = {},
  ): Promise<Answer> {
    const init: RequestInit = { method, credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS) };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { "Content-Type": "application/json" };
    }
    let response: Response;
    let answer: unknown;
    try {
      response = await fetch(path, init);
      const text = await response.text();
      answer = text === "" ? undefined : parsed(text);
    } catch {
      throw new ApiError(0, "The server does not answer. Is it running, and is this device online?");
    }
    if (response.ok) return answer as Answer; // the server's own interface; its tests check it against openapi.json
    if (response.status === 401 && !loggingIn) this.onUnauthorized();
    throw new ApiError(response.status, sentence(answer) ?? fallback(response.status));
  }
}

function sessionUrl(id: string): string {
  return `/api/sessions/${encodeURIComponent(id)}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's error page
  }
}

function sentence(answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null || !("error" in answer)) return undefined;
  return typeof answer.error === "string" && answer.error !== "" ? answer.error : undefined;
}

function fallback(status: number): string {
  if (status === 401) return "You are not logged in.";
  if (status === 403) return "The server refused this address. It may be reached under another name only.";
  if (status === 404) return "There is no such session any more.";
  if (status === 429) return "Too many attempts. Wait a moment, then try again.";
  return `The server answered with an error (${status}).`;
}

/** What to show for anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
