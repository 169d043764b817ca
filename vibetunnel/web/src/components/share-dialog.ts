/** The links to one session: makes, lists and revokes them. */

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import { type Api, type CreatedShare, type Share, type ShareOrder, type ShareRole, messageOf } from "../api.js";
import { copyText } from "../clipboard.js";
import { EXPIRIES, USES, expiry, isForThisMachineOnly, shareOrder, shareTitle, usage } from "../shares.js";
import { Modal } from "./modal.js";

@customElement("vt-share-dialog")
export class ShareDialog extends Modal {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) sessionId = "";
  @property({ attribute: false }) name = "";

  @state() private shares: readonly Share[] | undefined;
  @state() private created: CreatedShare | undefined;
  @state() private allows: ShareRole = "view";
  @state() private asking = ""; // id of the link that is about to be revoked
  @state() private copied = false;
  @state() private busy = false;
  @state() private error = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  protected override render(): TemplateResult {
    return html`<dialog class="modal share" aria-labelledby="share-title">
      <h2 id="share-title">Share <bdi>${this.name || "this session"}</bdi></h2>
      ${this.created ? this.result(this.created) : this.form()}
      <p class="error" role="alert">
        ${this.error === "" ? nothing : html`<span data-testid="error">${this.error}</span>`}
      </p>
      ${this.list()}
      <footer>
        <button type="button" class="button" data-testid="share-done" @click=${this.close}>Done</button>
      </footer>
    </dialog>`;
  }

  protected override updated(changed: PropertyValues): void {
    // The focused element is gone, and the focus must stay in the dialog.
    if (changed.has("created") && this.created) this.querySelector<HTMLElement>("[data-testid=share-copy]")?.focus();
  }

  private form(): TemplateResult {
    return html`<form @submit=${this.create}>
      <fieldset class="choice">
        <legend class="hidden">What the link allows</legend>
        ${this.roleChoice("view", "Watch", "See everything, but not type")}
        ${this.roleChoice("type", "Type", "Use the terminal as you do")}
      </fieldset>
      ${
        this.allows === "type"
          ? html`<p class="warning" data-testid="share-warning">
              Anyone with the link can run commands on this machine, as you.
            </p>`
          : nothing
      }
      <div class="pair">
        <div>
          <label for="share-expires">Expires</label>
          <select id="share-expires" name="expires" class="field" data-testid="share-expires">
            ${EXPIRIES.map(
              ({ value, words }) => html`<option value=${value} ?selected=${value === "86400"}>${words}</option>`,
            )}
          </select>
        </div>
        <div>
          <label for="share-uses">For</label>
          <select id="share-uses" name="uses" class="field" data-testid="share-uses">
            ${USES.map(({ value, words }) => html`<option value=${value}>${words}</option>`)}
          </select>
        </div>
      </div>
      <label for="share-name">Name <span class="quiet">(optional)</span></label>
      <input
        id="share-name"
        name="name"
        data-testid="share-name"
        class="field"
        placeholder="who it is for"
        maxlength="64"
        autocomplete="off"
      />
      <button class="button primary wide" data-testid="share-create" ?disabled=${this.busy}>
        ${this.busy ? "One moment…" : "Create link"}
      </button>
    </form>`;
  }

  private roleChoice(role: ShareRole, word: string, explanation: string): TemplateResult {
    return html`<label>
      <input
        type="radio"
        name="role"
        value=${role}
        data-testid="share-role-${role}"
        .checked=${this.allows === role}
        @change=${() => (this.allows = role)}
      />
      <strong>${word}</strong><span class="quiet">${explanation}</span>
    </label>`;
  }

  private result(share: CreatedShare): TemplateResult {
    return html`<div class="created">
      <p class="quiet">
        ${
          share.role === "type"
            ? "Anyone who opens this link can watch and type. "
            : "Anyone who opens this link can watch, but not type. "
        }It is not shown again: copy it now.
      </p>
      <output class="link mono" data-testid="share-url">${share.url}</output>
      ${
        isForThisMachineOnly(share.url)
          ? html`<p class="warning">
              This address works on this machine only. Open vibetunnel at the address that others use, and create the
              link there.
            </p>`
          : nothing
      }
      <div class="pair">
        <button type="button" class="button" data-testid="share-another" @click=${() => (this.created = undefined)}>
          Another link
        </button>
        <button type="button" class="button primary" data-testid="share-copy" @click=${() => this.copy(share.url)}>
          ${this.copied ? "Copied" : "Copy link"}
        </button>
      </div>
    </div>`;
  }

  private list(): TemplateResult | typeof nothing {
    const { shares } = this;
    if (!shares || shares.length === 0) return nothing;
    const now_ms = Date.now();
    return html`<section class="shares">
      <h3>Links</h3>
      <ul>
        ${repeat(
          shares,
          (share) => share.id,
          (share) =>
            html`<li data-testid="share" data-share-id=${share.id}>
              <p>
                <strong><bdi>${shareTitle(share)}</bdi></strong>
                <span class="quiet">${usage(share)} · ${expiry(share, now_ms)}</span>
              </p>
              ${this.asking === share.id ? this.question(share) : this.revokeButton(share)}
            </li>`,
        )}
      </ul>
    </section>`;
  }

  private revokeButton(share: Share): TemplateResult {
    return html`<button
      type="button"
      class="text-button"
      data-testid="share-revoke"
      aria-label="Revoke ${shareTitle(share)}"
      @click=${() => (this.asking = share.id)}
    >
      Revoke
    </button>`;
  }

  private question(share: Share): TemplateResult {
    return html`<span class="question">
      <button type="button" class="text-button" @click=${() => (this.asking = "")}>Cancel</button>
      <button
        type="button"
        class="text-button bad"
        data-testid="share-revoke-confirm"
        ?disabled=${this.busy}
        @click=${() => this.revoke(share)}
      >
        ${share.people > 0 ? "End access" : "Revoke now"}
      </button>
    </span>`;
  }

  private async load(): Promise<void> {
    try {
      this.shares = await this.api.shares(this.sessionId);
    } catch (error) {
      this.error = messageOf(error);
    }
  }

  private async create(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (!(event.target instanceof HTMLFormElement)) return;
    const order: ShareOrder = shareOrder(this.allows, new FormData(event.target));
    await this.attempt(async () => {
      this.created = await this.api.createShare(this.sessionId, order);
      this.copied = false;
    });
  }

  private async revoke(share: Share): Promise<void> {
    await this.attempt(() => this.api.revokeShare(this.sessionId, share.id));
    this.asking = "";
    if (this.created?.id === share.id && this.error === "") this.created = undefined;
  }

  private async attempt(work: () => Promise<unknown>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.error = "";
    try {
      await work();
      await this.load();
    } catch (error) {
      this.error = messageOf(error);
    } finally {
      this.busy = false;
    }
  }

  private async copy(url: string): Promise<void> {
    this.copied = await copyText(url);
    if (!this.copied) this.error = "This browser does not allow the page to copy. Select the link and copy it yourself.";
  }
}
