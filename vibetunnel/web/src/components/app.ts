/** The application: one page at a time, by the address bar. */

import { type TemplateResult, html } from "lit";
import { customElement, state } from "lit/decorators.js";
import { keyed } from "lit/directives/keyed.js";

import { Api } from "../api.js";
import { type Route, Router, loginPath } from "../router.js";
import "./login-page.js";
import "./navigation.js";
import { PlainElement } from "./plain-element.js";
import "./sessions-page.js";

@customElement("vt-app")
export class App extends PlainElement {
  @state() private route: Route = { page: "sessions" };
  @state() private noAuth = false;
  @state() private terminalPart: "loading" | "loaded" | "failed" = "loading";

  private readonly api = new Api(() => this.logIn());
  private readonly router = new Router((route) => this.show(route));

  override connectedCallback(): void {
    super.connectedCallback();
    this.route = this.router.current;
    this.router.start();
    // xterm.js is most of the client's size, and the list does not need it; by the time a session is opened it is here.
    import("./terminal-page.js").then(
      () => (this.terminalPart = "loaded"),
      () => (this.terminalPart = "failed"),
    );
    this.addEventListener("vt-go", (event) => this.router.go(event.detail.path, { replace: event.detail.replace }));
    this.addEventListener("vt-log-in", () => this.logIn());
    this.api.authConfig().then(
      ({ noAuth }) => (this.noAuth = noAuth),
      () => undefined, // the page says by itself what fails
    );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.router.stop();
  }

  protected override render(): TemplateResult {
    const { route, api } = this;
    switch (route.page) {
      case "sessions":
        return html`<vt-sessions-page .api=${api} .noAuth=${this.noAuth}></vt-sessions-page>`;
      case "login":
        return html`<vt-login-page .api=${api} .next=${route.next}></vt-login-page>`;
      case "terminal":
        if (this.terminalPart === "failed") return this.reloadNotice();
        if (this.terminalPart === "loading") return html``;
        return html`${keyed(route.id, html`<vt-terminal-page .api=${api} .sessionId=${route.id}></vt-terminal-page>`)}`;
      case "unknown":
        return html`<main class="notice">
          <h1>There is nothing here</h1>
          <p>No page has the address <code>${route.path}</code>.</p>
          <a class="button" href="/">All sessions</a>
        </main>`;
    }
  }

  private reloadNotice(): TemplateResult {
    return html`<main class="notice">
      <h1>The terminal could not be loaded</h1>
      <p data-testid="error">The connection broke off, or the server has been upgraded since.</p>
      <button class="button" @click=${() => location.reload()}>Reload</button>
    </main>`;
  }

  private show(route: Route): void {
    this.route = route;
    if (route.page !== "terminal") document.title = "vibetunnel";
  }

  private logIn(): void {
    if (this.route.page !== "login") this.router.go(loginPath(location.pathname), { replace: true });
  }
}
