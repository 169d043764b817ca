/** The page of a repository's changes. */

import { type TemplateResult, html } from "lit";
import { customElement, property } from "lit/decorators.js";

import type { Api } from "../api.js";
import { href } from "../base.js";
import { filesPath } from "../file-address.js";
import { baseName, readable } from "../file-paths.js";
import { pageTitle } from "../format.js";
import { sessionPath } from "../router.js";
import { type User, may } from "../users.js";
import "./changes-panel.js";
import type { Place } from "./files-panel.js";
import { back } from "./icons.js";
import { go } from "./navigation.js";
import { PlainElement } from "./plain-element.js";
import "../styles/terminal.css";

@customElement("vt-changes-page")
export class ChangesPage extends PlainElement {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) user: User | undefined;
  /** A folder in the repository. */
  @property({ attribute: false }) path = "";
  /** The session to go back to. */
  @property({ attribute: false }) sessionId: string | undefined;

  protected override render(): TemplateResult {
    const home = href(this.sessionId === undefined ? "/" : sessionPath(this.sessionId));
    if (!may(this.user, "files")) {
      return html`<main class="notice" role="alert" data-testid="notice-forbidden">
        <h1>You have no access to files</h1>
        <p data-testid="error">Your account does not include them.</p>
        <a class="button" href=${home}>Back</a>
      </main>`;
    }
    const words = this.sessionId === undefined ? "All sessions" : "Back to the session";
    return html`<div class="changes-page">
      <header class="bar slim">
        <a class="quiet-button" href=${home} aria-label=${words} title=${words} data-testid="back">${back}</a>
        <h1>
          <span class="name">Changes</span>
          <span class="title" title=${readable(this.path)}><bdi>${readable(this.path)}</bdi></span>
        </h1>
      </header>
      <main>
        <vt-changes
          .api=${this.api}
          .path=${this.path}
          @open-file=${(event: CustomEvent<Place>) => this.open(event.detail)}
        ></vt-changes>
      </main>
    </div>`;
  }

  protected override firstUpdated(): void {
    this.querySelector<HTMLElement>("vt-changes")?.focus(); // its keys work at once
  }

  protected override updated(): void {
    document.title = pageTitle("Changes", readable(baseName(this.path)));
  }

  private open({ path, line }: Place): void {
    go(this, filesPath(path, line));
  }
}
