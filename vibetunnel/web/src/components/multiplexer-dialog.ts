/** The sessions of tmux, screen and zellij: attaches, makes and ends them. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import { type Api, messageOf } from "../api.js";
import {
  MultiplexerApi,
  type MultiplexerKind,
  type MultiplexerSession,
  type Multiplexers,
  details,
  installed,
  listed,
  newName,
} from "../multiplexers.js";
import { sessionPath } from "../router.js";
import "../styles/multiplexers.css";
import { Modal } from "./modal.js";
import { go } from "./navigation.js";

@customElement("vt-multiplexer-dialog")
export class MultiplexerDialog extends Modal {
  @property({ attribute: false }) api!: Api;
  /** What was there when the dialog was opened. */
  @property({ attribute: false }) found!: Multiplexers;

  @state() private asking: MultiplexerSession | undefined; // that is about to be ended
  @state() private busy = false;
  @state() private error = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.attempt(() => Promise.resolve());
  }

  protected override render(): TemplateResult {
    const kinds = installed(this.found);
    return html`<dialog class="modal multiplexers" aria-labelledby="multiplexers-title">
      <h2 id="multiplexers-title">Attach to ${listed(kinds)}</h2>
      <p class="quiet">Sessions on this machine, as they are in other terminals.</p>
      ${kinds.map((kind) => this.section(kind, kinds.length > 1))} ${this.form(kinds)}
      <p class="error" role="alert">
        ${this.error === "" ? nothing : html`<span data-testid="error">${this.error}</span>`}
      </p>
      <footer>
        <button type="button" class="button" data-testid="multiplexers-done" @click=${this.close}>Done</button>
      </footer>
    </dialog>`;
  }

  private section(kind: MultiplexerKind, named: boolean): TemplateResult {
    const { sessions, error } = this.found[kind];
    const now_ms = Date.now();
    return html`<section data-testid="multiplexer" data-kind=${kind}>
      ${named ? html`<h3>${kind}</h3>` : nothing}
      ${error === undefined ? nothing : html`<p class="error">${error}</p>`}
      ${
        sessions.length === 0 && error === undefined
          ? html`<p class="quiet none">No sessions.</p>`
          : html`<ul>
              ${repeat(
                sessions,
                (session) => session.name,
                (session) => this.row(session, now_ms),
              )}
            </ul>`
      }
    </section>`;
  }

  private row(session: MultiplexerSession, now_ms: number): TemplateResult {
    const { name } = session;
    const asking = this.asking?.type === session.type && this.asking.name === name;
    return html`<li data-testid="multiplexer-session" data-kind=${session.type} data-name=${name}>
      <p>
        <strong class="mono"><bdi>${name}</bdi></strong>
        <span class="quiet">${asking ? "All its programs end." : details(session, now_ms)}</span>
      </p>
      ${asking ? this.question(session) : this.actions(session)}
    </li>`;
  }

  private actions(session: MultiplexerSession): TemplateResult {
    return html`<button
        type="button"
        class="text-button"
        data-testid="multiplexer-kill"
        aria-label="Kill ${session.name}"
        @click=${() => this.ask(session)}
      >
        Kill
      </button>
      <button
        type="button"
        class="button"
        data-testid="multiplexer-attach"
        aria-label="Attach to ${session.name}"
        ?disabled=${this.busy}
        @click=${() => this.attach(session.type, session.name)}
      >
        Attach
      </button>`;
  }

  private question(session: MultiplexerSession): TemplateResult {
    return html`<span class="question">
      <button type="button" class="text-button" @click=${() => this.ask(undefined)}>Cancel</button>
      <button
        type="button"
        class="text-button bad"
        data-testid="multiplexer-kill-confirm"
        ?disabled=${this.busy}
        @click=${() => this.kill(session)}
      >
        Kill
      </button>
    </span>`;
  }

  /** Ask about a session, or stop asking, and leave the focus in its row. */
  private ask(session: MultiplexerSession | undefined): void {
    const row = this.asking ?? session;
    this.asking = session;
    void this.updateComplete.then(() => {
      const rows = [...this.querySelectorAll<HTMLElement>('[data-testid="multiplexer-session"]')];
      const place = rows.find(({ dataset }) => dataset["name"] === row?.name && dataset["kind"] === row?.type);
      (place ?? this.querySelector("footer"))?.querySelector("button")?.focus();
    });
  }

  private form(kinds: readonly MultiplexerKind[]): TemplateResult {
    return html`<form @submit=${this.create}>
      ${
        kinds.length > 1
          ? html`<select name="kind" class="field" aria-label="Multiplexer" data-testid="multiplexer-kind">
              ${kinds.map((kind) => html`<option value=${kind}>${kind}</option>`)}
            </select>`
          : html`<input type="hidden" name="kind" value=${kinds[0] ?? ""} />`
      }
      <input
        name="name"
        class="field mono"
        aria-label="Name of a new session"
        placeholder="new session"
        maxlength="80"
        autocomplete="off"
        autocapitalize="off"
        autocorrect="off"
        spellcheck="false"
        data-testid="multiplexer-name"
      />
      <button class="button primary" data-testid="multiplexer-create" ?disabled=${this.busy}>Create</button>
    </form>`;
  }

  private get server(): MultiplexerApi {
    return new MultiplexerApi(this.api);
  }

  private async attach(kind: MultiplexerKind, name: string): Promise<void> {
    await this.attempt(async () => {
      const id = await this.server.attach(kind, name);
      this.close();
      go(this, sessionPath(id));
    });
  }

  private async create(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (!(event.target instanceof HTMLFormElement)) return;
    const form = new FormData(event.target);
    const kind = form.get("kind") as MultiplexerKind;
    const given = form.get("name");
    const name = newName(typeof given === "string" ? given.trim() : "", this.found[kind].sessions);
    await this.attempt(async () => {
      const id = await this.server.attach(kind, await this.server.create(kind, name));
      this.close();
      go(this, sessionPath(id));
    });
  }

  private async kill(session: MultiplexerSession): Promise<void> {
    await this.attempt(() => this.server.kill(session.type, session.name));
    this.ask(undefined);
  }

  /** Do it, and look what is there then. */
  private async attempt(work: () => Promise<unknown>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.error = "";
    try {
      await work();
    } catch (error) {
      this.error = messageOf(error);
    }
    try {
      if (this.isConnected) this.found = await this.server.state();
    } catch (error) {
      this.error ||= messageOf(error);
    } finally {
      this.busy = false;
    }
  }
}
