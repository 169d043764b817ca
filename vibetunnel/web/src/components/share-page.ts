/** Where a share link leads: exchanges its code for a guest's login, and goes on to the session. */

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
  /** A page that is open to them all the same, as a path. */
  readonly way?: string;
}

@customElement("vt-share-page")
export class SharePage extends PlainElement {
  @property({ attribute: false }) api!: Api;

  @state() private problem: Problem | undefined;

  private code = ""; // nowhere but here: not in the address, not in the history
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
    if (code === "" && this.code !== "") return; // our own doing
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
        text: "The end of the address, behind the #, is missing. Copy the whole link.",
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
      const heading = "This link does not work any more";
      const why = "It was revoked, has been used up, its time is over, or its session is gone.";
      const way = await this.way();
      return way === undefined
        ? { heading, text: `${why} Whoever sent it can give you a new one.`, again: false }
        : { heading, text: `${why} ${way === "/" ? "You are still logged in." : "The access that you had before is still good."}`, again: false, way };
    }
    if (error instanceof ApiError && status === 429) {
      this.countdown.start(error.retryAfter_s);
      return { heading: "Too many attempts", text: "The next one has to wait.", again: true };
    }
    return { heading: "The session could not be opened", text: messageOf(error), again: true };
  }

  /** Where they may go without this link: it may be the one that they came in by, opened once more. */
  private async way(): Promise<string | undefined> {
    const user = await this.api.user().catch(() => undefined); // nobody, as far as is known
    if (user?.authenticated !== true) return undefined;
    if (!isGuest(user)) return "/";
    return user.sessionId === null ? undefined : sessionPath(user.sessionId);
  }
}
