/** The page of a share link: exchanges its code for a guest's login, and goes on to the session. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { type Api, ApiError, messageOf } from "../api.js";
import { href } from "../base.js";
import { wait } from "../format.js";
import { sessionPath } from "../router.js";
import { isGuest } from "../users.js";
import { Countdown } from "./countdown.js";
import { mark } from "./icons.js";
import { askForLogin, loggedIn } from "./navigation.js";
import { PlainElement } from "./plain-element.js";

interface Problem {
  readonly heading: string;
  readonly text: string;
  readonly again: boolean;
  /** Path of a page that the user may still open. */
  readonly way?: string;
}

@customElement("vt-share-page")
export class SharePage extends PlainElement {
  @property({ attribute: false }) api!: Api;

  @state() private problem: Problem | undefined;

  private code = ""; // only here: not in the address, not in the browser's history
  private readonly countdown = new Countdown(this, () => undefined);
  private readonly onHash = (): void => this.takeFromLink();

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("hashchange", this.onHash); // a second link opened in the same tab
    this.takeFromLink();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("hashchange", this.onHash);
  }

  protected override render(): TemplateResult {
    const { problem } = this;
    if (!problem) return html`<main class="notice">${mark}<p role="status">Opening the shared session…</p></main>`;
    const { left_s } = this.countdown;
    return html`<main class="notice">
      ${mark}
      <h1>${problem.heading}</h1>
      <p role="alert" data-testid="error">${problem.text}</p>
      <div class="choices">
        ${
          problem.again
            ? html`<button class="button primary" data-testid="share-again" ?disabled=${left_s > 0} @click=${this.enter}>
                ${left_s > 0 ? `Try again in ${wait(left_s)}` : "Try again"}
              </button>`
            : nothing
        }
        ${
          problem.way === undefined
            ? html`<button class="button" @click=${() => askForLogin(this)}>Log in instead</button>`
            : html`<a class="button" href=${href(problem.way)} data-testid="share-way">
                ${problem.way === "/" ? "All sessions" : "Open your session"}
              </a>`
        }
      </div>
    </main>`;
  }

  private takeFromLink(): void {
    const code = location.hash.slice(1);
    if (code === "" && this.code !== "") return; // replaceState() below has removed it
    history.replaceState(null, "", location.pathname);
    this.code = code;
    void this.enter();
  }

  private async enter(): Promise<void> {
    this.problem = undefined;
    const { code } = this;
    if (code === "") {
      this.problem = {
        heading: "This link is incomplete",
        text: "The part of the address after # is missing. Copy the whole link.",
        again: false,
      };
      return;
    }
    try {
      const { sessionId } = await this.api.enter(code);
      if (code === this.code) loggedIn(this, sessionPath(sessionId));
    } catch (error) {
      const problem = await this.explain(error);
      if (code === this.code) this.problem = problem;
    }
  }

  private async explain(error: unknown): Promise<Problem> {
    const status = error instanceof ApiError ? error.status : 0;
    if (status === 401 || status === 404) {
      const heading = "This link no longer works";
      const why = "It was revoked, was used up or has expired, or its session was removed.";
      const way = await this.way();
      return way === undefined
        ? { heading, text: `${why} Ask the person who sent it for a new one.`, again: false }
        : { heading, text: `${why} ${way === "/" ? "You are still logged in." : "Your earlier access is still valid."}`, again: false, way };
    }
    if (error instanceof ApiError && status === 429) {
      this.countdown.start(error.retryAfter_s);
      return { heading: "Too many attempts", text: "Wait before you try again.", again: true };
    }
    return { heading: "The session could not be opened", text: messageOf(error), again: true };
  }

  /** Where the user may go without this link, which may be the one they have used before. */
  private async way(): Promise<string | undefined> {
    const user = await this.api.user().catch(() => undefined); // the user is not known
    if (user?.authenticated !== true) return undefined;
    if (!isGuest(user)) return "/";
    return user.sessionId === null ? undefined : sessionPath(user.sessionId);
  }
}
