/** The login page: takes the one-time code from its address, a typed code, or a password. */

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { type Api, ApiError, type AuthConfig, type Tokens, messageOf } from "../api.js";
import { wait } from "../format.js";
import { handOver } from "../other-client.js";
import { Countdown } from "./countdown.js";
import { mark } from "./icons.js";
import { loggedIn } from "./navigation.js";
import { PlainElement } from "./plain-element.js";

type Way = "code" | "password";

const SWITCHED_OFF = "This server accepts no passwords.";

@customElement("vt-login-page")
export class LoginPage extends PlainElement {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) next = "/";
  /** undefined: not known yet. */
  @property({ attribute: false }) config: AuthConfig | undefined;

  @state() private chosen: Way | undefined;
  @state() private busy = false;
  @state() private error = "";

  private readonly countdown = new Countdown(this, () => (this.error = ""));
  private readonly onHash = (): void => void this.takeFromLink();

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("hashchange", this.onHash); // a second link opened in the same tab
    void this.takeFromLink();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("hashchange", this.onHash);
  }

  protected override render(): TemplateResult {
    const { way } = this;
    return html`<main class="login">
      <form @submit=${this.submit} novalidate>
        ${mark}
        <h1>Log in to vibetunnel</h1>
        ${way === undefined ? nothing : way === "code" ? this.codeFields() : this.passwordFields()}
        ${way === undefined ? nothing : this.footer(way)}
      </form>
    </main>`;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("config") && this.config?.noAuth) loggedIn(this, this.next); // no login is needed
  }

  protected override updated(changed: PropertyValues): void {
    // The form is new, or another one.
    if (changed.has("config") || changed.has("chosen")) this.fields.find((field) => field.value === "")?.focus();
  }

  /** The way to log in; undefined: not known yet. */
  private get way(): Way | undefined {
    if (this.chosen !== undefined || this.config === undefined) return this.chosen;
    return this.passwords ? "password" : "code";
  }

  private get passwords(): boolean {
    return this.config?.passwords === true && this.config.disallowUserPassword !== true;
  }

  private get fields(): HTMLInputElement[] {
    return [...this.querySelectorAll("input")];
  }

  private codeFields(): TemplateResult {
    const off = this.config?.disallowUserPassword;
    return html`<p class="quiet">
        ${off ? SWITCHED_OFF : nothing} Open the link that the server printed when it started, or enter the code at its
        end.
      </p>
      <label for="code">One-time code</label>
      <input
        id="code"
        name="code"
        data-testid="login-code"
        class="field mono"
        autocomplete="one-time-code"
        autocapitalize="off"
        autocorrect="off"
        spellcheck="false"
        aria-describedby="login-error"
        aria-invalid=${this.error !== "" && this.countdown.left_s === 0}
        ?readonly=${this.busy}
      />`;
  }

  private passwordFields(): TemplateResult {
    return html`<p class="quiet">Use your account on this server.</p>
      <label for="user">User</label>
      <input
        id="user"
        name="username"
        data-testid="login-user"
        class="field"
        autocomplete="username"
        autocapitalize="off"
        autocorrect="off"
        spellcheck="false"
        maxlength="64"
        aria-describedby="login-error"
        aria-invalid=${this.error !== "" && this.countdown.left_s === 0}
        ?readonly=${this.busy}
      />
      <label for="password">Password</label>
      <input
        id="password"
        name="password"
        type="password"
        data-testid="login-password"
        class="field"
        autocomplete="current-password"
        maxlength="1024"
        aria-describedby="login-error"
        aria-invalid=${this.error !== "" && this.countdown.left_s === 0}
        ?readonly=${this.busy}
      />`;
  }

  private footer(way: Way): TemplateResult {
    const { left_s } = this.countdown;
    const words = left_s > 0 ? `Try again in ${wait(left_s)}` : this.busy ? "Logging in…" : "Log in";
    return html`<p id="login-error" class="error" role="alert">
        ${this.error === "" ? nothing : html`<span data-testid="error">${this.error}</span>`}
      </p>
      <button class="button primary wide" data-testid="login-submit" ?disabled=${this.busy || left_s > 0}>
        ${words}
      </button>
      ${
        this.passwords
          ? html`<button type="button" class="text-button other" data-testid="login-other" @click=${this.change}>
              ${way === "code" ? "Log in with a password" : "Log in with a one-time code"}
            </button>`
          : nothing
      }`;
  }

  private change(): void {
    this.chosen = this.way === "code" ? "password" : "code";
    if (this.countdown.left_s === 0) this.error = "";
  }

  private async takeFromLink(): Promise<void> {
    const code = decodeURIComponentSafe(location.hash.slice(1));
    if (code === "") return;
    history.replaceState(null, "", location.pathname + location.search); // keep it out of screenshots
    this.chosen = "code";
    await this.updateComplete;
    const [field] = this.fields;
    if (field) field.value = code;
    await this.logIn((token) => this.api.loginByCode(code, { token }));
  }

  private submit(event: SubmitEvent): void {
    event.preventDefault();
    const empty = this.fields.find((field) => field.value.trim() === "");
    if (empty) {
      this.error = this.way === "code" ? "Enter the code first." : "Enter your user name and password first.";
      empty.focus();
      return;
    }
    const [first = "", second = ""] = this.fields.map((field) => field.value);
    if (this.way === "password") {
      void this.logIn(() => this.api.loginByPassword(first.trim(), second));
    } else {
      const code = first.trim();
      const pure = code.slice(code.lastIndexOf("#") + 1); // the user may paste a whole link
      void this.logIn((token) => this.api.loginByCode(pure, { token }));
    }
  }

  private async logIn(attempt: (token: boolean) => Promise<Tokens>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.error = "";
    try {
      const { webClient = false } = this.config ?? (await this.api.authConfig());
      const login = await attempt(webClient);
      if (webClient) handOver(login, this.next);
      else loggedIn(this, this.next);
    } catch (error) {
      if (this.way === "code" && (await this.alreadyIn())) {
        loggedIn(this, this.next);
        return;
      }
      this.error = this.explain(error);
      this.busy = false;
      await this.updateComplete;
      const last = this.fields.at(-1);
      if (this.way === "password" && last) last.value = "";
      last?.focus();
      last?.select();
    }
  }

  /** Whether this browser is logged in already: then opening a used link again is not a failure. */
  private async alreadyIn(): Promise<boolean> {
    return this.api.user().then(
      ({ authenticated, role }) => authenticated && role !== "guest",
      () => false,
    );
  }

  private explain(error: unknown): string {
    if (!(error instanceof ApiError)) return messageOf(error);
    if (error.status === 429) {
      this.countdown.start(error.retryAfter_s);
      return "Too many attempts. Wait before you try again.";
    }
    if (this.way === "password") {
      if (error.status === 401) return "Wrong user name or password.";
      if (error.status !== 403) return error.message;
      this.chosen = "code";
      return `${SWITCHED_OFF} Use a one-time code.`;
    }
    if (error.status === 401) {
      return (
        "This code is wrong, has expired, or was used before. Get a new one: run “vibetunnel link” on the machine, " +
        "or use a device that is logged in."
      );
    }
    return error.message;
  }
}

function decodeURIComponentSafe(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
