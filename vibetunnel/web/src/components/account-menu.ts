/** The user's menu: name, role, and logging out. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";

import { href } from "../base.js";
import { type User, initials, isGuest, may, roleName, tone } from "../users.js";
import { closeDropdown, placeBelow } from "./dropdown.js";
import { bell, device, leave, list } from "./icons.js";
import { PlainElement } from "./plain-element.js";

const WIDTH = 248;

/** Dispatches `link` (log in on another device), `notifications` and `leave`. */
@customElement("vt-account-menu")
export class AccountMenu extends PlainElement {
  @property({ attribute: false }) user!: User;

  protected override render(): TemplateResult {
    const { user } = this;
    const guest = isGuest(user);
    return html`<button
        class="avatar-button"
        popovertarget="account-menu"
        aria-label="Account: ${user.userId}"
        title=${user.userId}
        data-testid="account"
      >
        <span class="avatar tone-${tone(user.userId)}" aria-hidden="true">${initials(user.userId)}</span>
      </button>
      <div
        id="account-menu"
        class="dropdown account-menu"
        popover
        @beforetoggle=${(event: Event) => placeBelow(event, WIDTH)}
      >
        <header>
          <span class="avatar tone-${tone(user.userId)}" aria-hidden="true">${initials(user.userId)}</span>
          <p>
            <strong data-testid="account-name"><bdi>${user.userId}</bdi></strong>
            <span class="quiet" data-testid="account-role">${roleName(user.role ?? "")}</span>
          </p>
        </header>
        <ul>
          ${
            guest
              ? nothing
              : html`<li>
                  <button data-testid="link-open" @click=${() => this.choose("link")}>
                    ${device}Log in on another device
                  </button>
                </li>
                <li>
                  <button data-testid="notifications-open" @click=${() => this.choose("notifications")}>
                    ${bell}Notifications
                  </button>
                </li>`
          }
          ${
            may(user, "admin")
              ? html`<li><a data-testid="logs-open" href=${href("/logs")}>${list}Logs</a></li>`
              : nothing
          }
          <li>
            <button data-testid="logout" @click=${() => this.choose("leave")}>
              ${leave}${guest ? "Leave" : "Log out"}
            </button>
          </li>
        </ul>
      </div>`;
  }

  private choose(what: "link" | "notifications" | "leave"): void {
    closeDropdown(this);
    this.dispatchEvent(new Event(what));
  }
}
