/** The page of files, whose address has the path of the folder or file that it shows. */

import { type TemplateResult, html } from "lit";
import { customElement, property } from "lit/decorators.js";

import type { Api } from "../api.js";
import { href } from "../base.js";
import { pageTitle } from "../format.js";
import { filesPath } from "../file-address.js";
import { baseName, readable, withoutSlash } from "../file-paths.js";
import { sessionPath } from "../router.js";
import { type User, isGuest, may, mayUseFiles } from "../users.js";
import type { Place } from "./files-panel.js";
import "./files-panel.js";
import { back } from "./icons.js";
import { go } from "./navigation.js";
import { PlainElement } from "./plain-element.js";

@customElement("vt-files-page")
export class FilesPage extends PlainElement {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) user: User | undefined;
  @property({ attribute: false }) place: Place = { path: "" };

  protected override render(): TemplateResult {
    if (!mayUseFiles(this.user)) {
      return html`<main class="notice" role="alert" data-testid="notice-forbidden">
        <h1>You have no access to files</h1>
        <p data-testid="error">Your account or your link does not include them.</p>
        <a class="button" href=${this.home}>Back</a>
      </main>`;
    }
    return html`<div class="files-page">
      <header class="bar slim">
        <a class="quiet-button" href=${this.home} aria-label="Back" title="Back" data-testid="back">${back}</a>
        <h1><span class="name">Files</span><span class="title"><bdi>${readable(this.place.path)}</bdi></span></h1>
      </header>
      <main>
        <vt-files-panel
          .api=${this.api}
          .page=${true}
          .git=${may(this.user, "files")}
          .place=${this.place}
          @moved=${(event: CustomEvent<Place>) => this.moved(event.detail)}
          @closed=${() => go(this, this.home)}
        ></vt-files-panel>
      </main>
    </div>`;
  }

  protected override updated(): void {
    const path = withoutSlash(this.place.path);
    document.title = pageTitle(path === "" ? "Files" : readable(baseName(path)), undefined);
  }

  private get home(): string {
    const { user } = this;
    return href(isGuest(user) && user?.sessionId ? sessionPath(user.sessionId) : "/");
  }

  /** Another line of the file that is open is no step to come back to. */
  private moved({ path, line }: Place): void {
    go(this, filesPath(path, line), path === this.place.path);
  }
}
