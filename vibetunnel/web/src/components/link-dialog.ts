/** Shows a link that logs another device in. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { type Api, type LoginLink, messageOf } from "../api.js";
import { copyText } from "../clipboard.js";
import { isForThisMachineOnly } from "../shares.js";
import { Modal } from "./modal.js";

@customElement("vt-link-dialog")
export class LinkDialog extends Modal {
  @property({ attribute: false }) api!: Api;

  @state() private link: LoginLink | undefined;
  @state() private error = "";
  @state() private copied = false;

  override connectedCallback(): void {
    super.connectedCallback();
    this.api.loginLink().then(
      (link) => (this.link = link),
      (error: unknown) => (this.error = messageOf(error)),
    );
  }

  protected override render(): TemplateResult {
    return html`<dialog class="modal" aria-labelledby="link-title">
      <h2 id="link-title">Log in on another device</h2>
      <p class="quiet">
        ${
          this.link?.code === null
            ? "Open this link there. This server asks for no login."
            : "Open this link there, or enter the code on its login page. It works once, within ten minutes."
        }
      </p>
      ${this.link ? this.details(this.link) : nothing}
      <p class="error" role="alert">
        ${this.error === "" ? nothing : html`<span data-testid="error">${this.error}</span>`}
      </p>
      <footer>
        <button type="button" class="button" ?disabled=${!this.link} @click=${this.copy}>
          ${this.copied ? "Copied" : "Copy link"}
        </button>
        <button type="button" class="button primary" @click=${this.close} autofocus>Done</button>
      </footer>
    </dialog>`;
  }

  private details({ url, code }: LoginLink): TemplateResult {
    return html`<dl class="link-details">
      <dt>Link</dt>
      <dd><output class="mono" data-testid="link-url">${url}</output></dd>
      ${code === null ? nothing : html`<dt>Code</dt><dd><output class="mono" data-testid="link-code">${code}</output></dd>`}
    </dl>
    ${
      isForThisMachineOnly(url)
        ? html`<p class="warning" data-testid="link-warning">
            This address works on this machine only. Open vibetunnel at the address that the other device uses, and
            create the link there.
          </p>`
        : nothing
    }`;
  }

  private async copy(): Promise<void> {
    if (!this.link) return;
    this.copied = await copyText(this.link.url);
    if (!this.copied) this.error = "This browser does not allow the page to copy. Select the link and copy it yourself.";
  }
}
