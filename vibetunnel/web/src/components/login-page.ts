/** The login page: takes the one-time code of the link it was opened with, or one that is typed. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";

import { type Api, ApiError, messageOf } from "../api.js";
import { mark } from "./icons.js";
import { go } from "./navigation.js";
import { PlainElement } from "./plain-element.js";

@customElement("vt-login-page")
export class LoginPage extends PlainElement {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) next = "/";

  @state() private busy = false;
  @state() private error = "";
  @query("input") private field!: HTMLInputElement;

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
    return html`<main class="login">
      <form @submit=${this.submit} novalidate>
        ${mark}
        <h1>Log in to vibetunnel</h1>
        <p class="quiet">Open the link that the server printed when it started, or enter the code at its end.</p>
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
          aria-invalid=${this.error !== ""}
          ?readonly=${this.busy}
          autofocus
        />
        <p id="login-error" class="error" role="alert">
          ${this.error === "" ? nothing : html`<span data-testid="error">${this.error}</span>`}
        </p>
        <button class="button primary wide" data-testid="login-submit" ?disabled=${this.busy}>
          ${this.busy ? "Logging in…" : "Log in"}
        </button>
      </form>
    </main>`;
  }

  protected override firstUpdated(): void {
    this.field.focus();
  }

  private async takeFromLink(): Promise<void> {
    const code = decodeURIComponentSafe(location.hash.slice(1));
    if (code === "") return;
    history.replaceState(null, "", location.pathname + location.search); // keep it out of screenshots
    await this.updateComplete;
    this.field.value = code;
    await this.logIn(code);
  }

  private submit(event: SubmitEvent): void {
    event.preventDefault();
    const code = this.field.value.trim();
    if (code === "") {
      this.error = "Enter the code first.";
      this.field.focus();
      return;
    }
    void this.logIn(code.slice(code.lastIndexOf("#") + 1)); // a whole link may be pasted too
  }

  private async logIn(code: string): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.error = "";
    try {
      await this.api.login(code);
      go(this, this.next, true);
    } catch (error) {
      if (await this.alreadyIn()) {
        go(this, this.next, true);
        return;
      }
      this.error = this.explain(error);
      this.busy = false;
      await this.updateComplete;
      this.field.select();
    }
  }

  /** A used link that is opened again in a browser that it has logged in already is no failure. */
  private async alreadyIn(): Promise<boolean> {
    return this.api.loggedIn().catch(() => false);
  }

  private explain(error: unknown): string {
    if (error instanceof ApiError && error.status === 401) {
      return (
        "This code is wrong, too old, or has been used. Each code works once: " +
        "run “vibetunnel link” on the machine for a new one, or get one from a device that is logged in."
      );
    }
    return messageOf(error);
  }
}

function decodeURIComponentSafe(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
