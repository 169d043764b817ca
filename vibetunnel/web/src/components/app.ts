/** The application: shows one page at a time, chosen by the address bar and by the user. */

import { type TemplateResult, html } from "lit";
import { customElement, state } from "lit/decorators.js";
import { keyed } from "lit/directives/keyed.js";

import { Api, type AuthConfig, messageOf } from "../api.js";
import { href } from "../base.js";
import { type Route, Router, loginPath, sessionPath } from "../router.js";
import { resubscribe } from "../push.js";
import { type User, isGuest, may } from "../users.js";
import "./login-page.js";
import "./navigation.js";
import { PlainElement } from "./plain-element.js";
import "./sessions-page.js";
import "./share-page.js";

const SECOND_LOOK_MS = 400; // a login in another tab ends the earlier one, shortly before its cookie arrives

/** Pages that few visits need. */
const PARTS = {
  logs: () => import("./logs-page.js"),
  files: () => import("./files-page.js"),
  changes: () => import("./changes-page.js"),
} as const;
type PartName = keyof typeof PARTS;

function isPart(page: Route["page"]): page is PartName {
  return page in PARTS;
}

@customElement("vt-app")
export class App extends PlainElement {
  @state() private route: Route = { page: "sessions" };
  @state() private config: AuthConfig | undefined; // undefined until the server has told it
  @state() private user: User | undefined;
  @state() private known = false; // the server has told the user, or does not answer
  @state() private turn = 0; // changes with the login, so that the page begins anew
  @state() private over: "login" | "guest" | undefined; // set when the access ends while the page is open
  @state() private terminalPart: "loading" | "loaded" | "failed" = "loading";
  @state() private parts: Readonly<Partial<Record<PartName, "loading" | "loaded" | "failed">>> = {}; // those wanted so far

  private readonly api = new Api({
    unauthorized: () => void this.loginOver(),
    forbidden: () => void this.learnUser(),
  });
  private readonly router = new Router((route) => this.show(route));
  private learning: Promise<void> | undefined;
  private looking = false; // checking whether the login has really ended
  private leaving = false; // the user is logging out

  override connectedCallback(): void {
    super.connectedCallback();
    this.route = this.router.current;
    this.router.start();
    // xterm.js is most of the client's size, and the list does not need it. It is loaded before a session is opened.
    import("./terminal-page.js").then(
      () => (this.terminalPart = "loaded"),
      () => (this.terminalPart = "failed"),
    );
    this.addEventListener("vt-go", (event) => this.router.go(event.detail.path, { replace: event.detail.replace }));
    this.addEventListener("vt-login-over", () => void this.loginOver());
    this.addEventListener("vt-log-in", () => this.askForLogin());
    this.addEventListener("vt-log-out", (event) => void this.leave(event.detail.failed));
    this.addEventListener("vt-logged-in", (event) => void this.enter(event.detail.path));
    this.api.authConfig().then(
      (config) => (this.config = config),
      () => (this.config = { noAuth: false }), // the page itself reports the failure
    );
    const brought = location.hash !== ""; // a code, for another login
    void this.learnUser().then(() => {
      if (!brought) this.skipLogin();
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.router.stop();
  }

  protected override willUpdate(): void {
    const { page } = this.route;
    if (!isPart(page) || this.parts[page] !== undefined) return;
    const set = (state: "loading" | "loaded" | "failed"): void => {
      this.parts = { ...this.parts, [page]: state };
    };
    set("loading");
    PARTS[page]().then(
      () => set("loaded"),
      () => set("failed"),
    );
  }

  protected override render(): TemplateResult {
    const { route, api, user } = this;
    if (this.over) return this.overNotice(this.over);
    const noAuth = this.config?.noAuth ?? false;
    switch (route.page) {
      case "sessions":
        if (!this.known || isGuest(user)) return html``; // a guest is sent on to their session
        return html`${keyed(
          this.turn,
          html`<vt-sessions-page .api=${api} .noAuth=${noAuth} .user=${user}></vt-sessions-page>`,
        )}`;
      case "login":
        return html`<vt-login-page .api=${api} .next=${route.next} .config=${this.config}></vt-login-page>`;
      case "share":
        return html`<vt-share-page .api=${api}></vt-share-page>`;
      case "logs":
        if (this.parts.logs === "failed") return this.reloadNotice("The logs could not be loaded");
        if (this.parts.logs !== "loaded" || !this.known) return html``;
        if (user?.authenticated && !may(user, "admin")) return this.ownersOnly();
        return html`${keyed(this.turn, html`<vt-logs-page .api=${api}></vt-logs-page>`)}`;
      case "terminal":
        if (this.terminalPart === "failed") return this.reloadNotice("The terminal could not be loaded");
        if (this.terminalPart === "loading") return html``;
        return html`${keyed(
          `${route.id} ${this.turn}`,
          html`<vt-terminal-page .api=${api} .sessionId=${route.id} .noAuth=${noAuth} .user=${user}></vt-terminal-page>`,
        )}`;
      case "changes":
        return this.changesPage(route);
      case "files":
        return this.filesPage(route);
      case "unknown":
        return html`<main class="notice">
          <h1>Page not found</h1>
          <p>No page has the address <code>${href(route.path)}</code>.</p>
          <a class="button" href=${href("/")}>All sessions</a>
        </main>`;
    }
  }

  private filesPage({ path, line }: Route & { page: "files" }): TemplateResult {
    if (this.parts.files === "failed") return this.reloadNotice("The files could not be loaded");
    if (this.parts.files !== "loaded" || !this.known) return html``;
    const place = { path, line };
    return html`${keyed(
      this.turn,
      html`<vt-files-page .api=${this.api} .user=${this.user} .place=${place}></vt-files-page>`,
    )}`;
  }

  private changesPage({ path, session }: Route & { page: "changes" }): TemplateResult {
    if (this.parts.changes === "failed") return this.reloadNotice("The changes could not be loaded");
    if (this.parts.changes !== "loaded" || !this.known) return html``;
    return html`${keyed(
      `${path} ${this.turn}`,
      html`<vt-changes-page
        .api=${this.api}
        .user=${this.user}
        .path=${path}
        .sessionId=${session}
      ></vt-changes-page>`,
    )}`;
  }

  private overNotice(over: "login" | "guest"): TemplateResult {
    return html`<main class="notice" role="alert" data-testid="access-ended">
      <h1>${over === "guest" ? "Your access has ended" : "You have been logged out"}</h1>
      <p>
        ${
          over === "guest"
            ? "Your link was revoked or has expired, or the session was removed. " +
              "Ask the person who shared it for a new link."
            : "Your login was ended or has expired. Your sessions go on."
        }
      </p>
      <button class="button" data-testid="log-in-again" @click=${() => this.askForLogin()}>Log in</button>
    </main>`;
  }

  private ownersOnly(): TemplateResult {
    return html`<main class="notice">
      <h1>Only owners may read the log</h1>
      <p>Ask an owner of this server, or log in as one.</p>
      <a class="button" href=${href("/")}>All sessions</a>
    </main>`;
  }

  private reloadNotice(heading: string): TemplateResult {
    return html`<main class="notice">
      <h1>${heading}</h1>
      <p data-testid="error">The connection was lost, or the server was upgraded. Reload the page.</p>
      <button class="button" @click=${() => location.reload()}>Reload</button>
    </main>`;
  }

  private show(route: Route): void {
    this.route = route;
    this.over = undefined;
    if (route.page !== "terminal") document.title = "vibetunnel";
    this.keepGuestInside();
  }

  /** Ask the server for the user. The pages need not wait for it. */
  private learnUser(): Promise<void> {
    this.learning ??= this.api
      .user()
      .then(
        (user) => {
          this.user = user;
          this.keepGuestInside();
          if (user.authenticated && !isGuest(user)) void resubscribe(this.api, user.userId);
          const { page } = this.route;
          const needed = page === "sessions" || page === "logs" || page === "files" || page === "changes";
          const asked = needed && !this.looking && !this.over;
          if (asked && !user.authenticated) this.askForLogin(); // what they show would be refused
        },
        () => undefined, // the page itself reports the failure
      )
      .finally(() => {
        this.learning = undefined;
        this.known = true;
      });
    return this.learning;
  }

  /** Whether this is a page to log in on. */
  private get comingIn(): boolean {
    return this.route.page === "login" || this.route.page === "share";
  }

  /** Leave the login page if the user is logged in already. */
  private skipLogin(): void {
    const { route, user } = this;
    if (route.page !== "login" || !user?.authenticated || isGuest(user)) return;
    this.router.go(route.next, { replace: true });
  }

  /** Send a guest from the list to their one session. */
  private keepGuestInside(): void {
    const { user } = this;
    if (this.route.page !== "sessions" || !isGuest(user) || !user?.sessionId) return;
    this.router.go(sessionPath(user.sessionId), { replace: true });
  }

  /** Go on to `path` after a login or a share link, as another user than before. */
  private async enter(path: string): Promise<void> {
    await this.learning;
    await this.learnUser();
    this.router.go(path, { replace: true });
  }

  /** The server does not know this login. Tell a user who was logged in; ask others for a login. */
  private async loginOver(): Promise<void> {
    if (this.over || this.looking || this.comingIn) return;
    if (this.leaving || !this.user?.authenticated) {
      this.askForLogin();
      return;
    }
    const before = this.user;
    this.looking = true;
    await new Promise((resolve) => setTimeout(resolve, SECOND_LOOK_MS));
    await this.learnUser();
    this.looking = false;
    if (this.comingIn) return;
    if (this.user?.authenticated) {
      this.turn += 1;
      return;
    }
    this.over = isGuest(before) ? "guest" : "login";
    this.user = undefined;
    document.title = "vibetunnel";
  }

  /** Log out. The server may cut connections before its answer arrives. */
  private async leave(failed: (message: string) => void): Promise<void> {
    if (this.leaving) return;
    this.leaving = true;
    try {
      await this.api.logout();
      this.askForLogin();
    } catch (error) {
      failed(messageOf(error));
    } finally {
      this.leaving = false;
    }
  }

  private askForLogin(): void {
    this.user = undefined;
    if (this.route.page !== "login") this.router.go(loginPath(this.router.address), { replace: true });
  }
}
