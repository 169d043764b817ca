/** The list of sessions: running and exited ones, and the way to create more. */

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import { type Api, type ServerConfig, type Session, messageOf } from "../api.js";
import { href } from "../base.js";
import { MultiplexerApi, type Multiplexers, installed, listed } from "../multiplexers.js";
import { SessionList, recentFolders } from "../sessions.js";
import { type User, may, mayShare, mayUseFiles } from "../users.js";
import "./account-menu.js";
import "./confirm-dialog.js";
import "./create-dialog.js";
import { bell, folder, list, mark, plus } from "./icons.js";
import "./link-dialog.js";
import { logOut } from "./navigation.js";
import { PlainElement } from "./plain-element.js";
import "./session-card.js";
import "./share-dialog.js";

const TICK_MS = 30_000; // ages are in minutes

/** Dialogs that few visits need. */
const RARE = {
  attach: () => import("./multiplexer-dialog.js"),
  notifications: () => import("./notifications-dialog.js"),
} as const;

type Open =
  | { readonly dialog: "create" | "link" | "notifications" | "attach" }
  | { readonly dialog: "kill" | "share"; readonly session: Session };

@customElement("vt-sessions-page")
export class SessionsPage extends PlainElement {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) noAuth = false;
  /** undefined: not known yet. */
  @property({ attribute: false }) user: User | undefined;

  @state() private config: ServerConfig = {};
  @state() private multiplexers: Multiplexers | undefined;
  @state() private open: Open | undefined;
  @state() private error = "";
  @state() private now_ms = Date.now();

  private list: SessionList | undefined;
  private ticker: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow();
    this.ticker = setInterval(() => (this.now_ms = Date.now()), TICK_MS);
    this.api.config().then(
      (config) => (this.config = config),
      () => undefined, // it gives only placeholders
    );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.list?.stop();
    clearInterval(this.ticker);
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("user") && this.controls && this.multiplexers === undefined) {
      new MultiplexerApi(this.api).state().then(
        (found) => (this.multiplexers = found),
        () => undefined, // then there is no entry
      );
    }
  }

  protected override render(): TemplateResult {
    const all = this.list?.sessions ?? [];
    const exited = all.filter((each) => each.status === "exited");
    const alive = all.filter((each) => each.status !== "exited");
    return html`<div class="sessions">
      <header class="bar">
        <h1>${mark}<span>vibetunnel</span></h1>
        <p class="connection" role="status" data-testid="connection-state" data-state=${this.list?.state ?? "loading"}>
          ${this.list?.state === "lost" ? html`<span class="dot waiting"></span>Reconnecting…` : nothing}
        </p>
        <nav>
          ${
            mayUseFiles(this.user)
              ? html`<a
                  class="quiet-button"
                  href=${href("/files")}
                  aria-label="Files"
                  title="Files"
                  data-testid="files-page"
                  >${folder}</a
                >`
              : nothing
          }
          ${
            this.user?.authenticated && !this.noAuth
              ? html`<vt-account-menu
                  .user=${this.user}
                  @link=${() => (this.open = { dialog: "link" })}
                  @notifications=${() => void this.openRare("notifications")}
                  @leave=${this.leave}
                ></vt-account-menu>`
              : this.noAuth
                ? html`<button
                    class="quiet-button"
                    aria-label="Notifications"
                    title="Notifications"
                    data-testid="notifications-open"
                    @click=${() => void this.openRare("notifications")}
                  >
                    ${bell}
                  </button>
                  <a class="quiet-button" aria-label="Logs" title="Logs" data-testid="logs-open" href=${href("/logs")}>
                    ${list}
                  </a>`
                : nothing
          }
          ${all.length === 0 || !this.controls ? nothing : this.createButton()}
        </nav>
      </header>
      <main>
        <div role="alert">${this.problem()}</div>
        ${this.list?.state === "loading" ? nothing : all.length === 0 ? this.empty() : nothing}
        ${alive.length === 0 ? nothing : this.section("Sessions", alive, this.attachButton())}
        ${
          exited.length === 0
            ? nothing
            : this.section(
                "Exited",
                exited,
                this.controls
                  ? html`${alive.length === 0 ? this.attachButton() : nothing}
                      <button class="text-button" data-testid="session-clean" @click=${this.clean}>Clean up</button>`
                  : nothing,
              )
        }
      </main>
      ${this.dialog()}
    </div>`;
  }

  /** Whether this user may make, rename, end and share sessions. */
  private get controls(): boolean {
    return may(this.user, "control");
  }

  private section(heading: string, sessions: readonly Session[], action: TemplateResult | typeof nothing = nothing) {
    return html`<section>
      <header>
        <h2>${heading}</h2>
        <span class="count">${sessions.length}</span>${action}
      </header>
      <ul class="cards">
        ${repeat(
          sessions,
          (session) => session.id,
          (session) =>
            html`<li>
              <vt-session-card
                .session=${session}
                .home=${this.config.workingDir}
                .now_ms=${this.now_ms}
                .rang=${this.list?.rang.has(session.id) ?? false}
                .controls=${this.controls}
                .files=${may(this.user, "files")}
                .shares=${mayShare(this.user, session) && !this.noAuth}
                @rename=${(event: CustomEvent<string>) => this.attempt(this.api.rename(session.id, event.detail))}
                @share=${() => (this.open = { dialog: "share", session })}
                @kill=${() => (this.open = { dialog: "kill", session })}
                @remove=${() => this.discard(session)}
              ></vt-session-card>
            </li>`,
        )}
      </ul>
    </section>`;
  }

  private createButton(): TemplateResult {
    return html`<button
      class="button primary"
      data-testid="session-create"
      aria-label="New session"
      @click=${() => (this.open = { dialog: "create" })}
    >
      ${plus}<span>New<span class="wide-only">&nbsp;session</span></span>
    </button>`;
  }

  /** The entry of the dialog with the sessions of multiplexers, if there is a multiplexer. */
  private attachButton(): TemplateResult | typeof nothing {
    const kinds = installed(this.multiplexers);
    if (kinds.length === 0 || !this.controls) return nothing;
    return html`<button
      class="text-button"
      data-testid="multiplexers-open"
      @click=${() => void this.openRare("attach")}
    >
      Attach to ${listed(kinds)}…
    </button>`;
  }

  private empty(): TemplateResult | typeof nothing {
    if (this.list?.error || !this.user) return nothing;
    return html`<div class="empty" data-testid="empty">
      <h2>No sessions yet</h2>
      <p class="quiet">
        ${
          this.controls
            ? "A session is a terminal on this machine. It goes on after you close the browser."
            : "When another user starts a session, you can watch it here."
        }
      </p>
      ${this.controls ? this.createButton() : nothing} ${this.attachButton()}
    </div>`;
  }

  private problem(): TemplateResult | typeof nothing {
    const text = this.error || this.list?.error;
    return text ? html`<p class="problem" data-testid="error">${text}</p>` : nothing;
  }

  private async openRare(dialog: keyof typeof RARE): Promise<void> {
    try {
      await RARE[dialog]();
      this.open = { dialog };
    } catch {
      this.error = "The dialog could not be loaded. Reload the page.";
    }
  }

  private dialog(): TemplateResult | typeof nothing {
    const closed = (): void => (this.open = undefined) as void;
    switch (this.open?.dialog) {
      case "create":
        return html`<vt-create-dialog
          .api=${this.api}
          .config=${this.config}
          .files=${may(this.user, "files")}
          .recent=${recentFolders(this.list?.sessions ?? [])}
          @closed=${closed}
        ></vt-create-dialog>`;
      case "attach":
        return html`<vt-multiplexer-dialog
          .api=${this.api}
          .found=${this.multiplexers}
          @closed=${closed}
        ></vt-multiplexer-dialog>`;
      case "link":
        return html`<vt-link-dialog .api=${this.api} @closed=${closed}></vt-link-dialog>`;
      case "notifications":
        return html`<vt-notifications-dialog
          .api=${this.api}
          .userId=${this.user?.userId ?? ""}
          @closed=${closed}
        ></vt-notifications-dialog>`;
      case "share": {
        const { session } = this.open;
        return html`<vt-share-dialog
          .api=${this.api}
          .sessionId=${session.id}
          .name=${session.name}
          @closed=${closed}
        ></vt-share-dialog>`;
      }
      case "kill": {
        const { session } = this.open;
        return html`<vt-confirm-dialog
          .heading=${`Kill ${session.name}?`}
          .text=${"This ends the program and everything it started. Unsaved work is lost."}
          .action=${"Kill"}
          .run=${() => this.api.kill(session.id)}
          @closed=${closed}
        ></vt-confirm-dialog>`;
      }
      default:
        return nothing;
    }
  }

  /** What a session has left is ended first, after a question. */
  private discard(session: Session): void {
    if (session.processesLeft) this.open = { dialog: "kill", session };
    else void this.attempt(this.api.cleanUp(session.id));
  }

  private clean(): void {
    void this.attempt(this.api.cleanUpExited());
  }

  private leave(): void {
    this.error = "";
    this.list?.stop(); // or it would ask why the server cut it
    logOut(this, (message) => {
      this.error = message;
      this.follow();
    });
  }

  private follow(): void {
    this.list = new SessionList(this.api, () => this.changed());
    this.list.start();
  }

  private async attempt(work: Promise<unknown>): Promise<boolean> {
    this.error = "";
    try {
      await work;
      if (this.list?.state === "lost") void this.list.refresh();
      return true;
    } catch (error) {
      this.error = messageOf(error);
      return false;
    }
  }

  private changed(): void {
    this.now_ms = Date.now();
    this.requestUpdate();
  }
}
