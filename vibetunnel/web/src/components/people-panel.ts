/** The people attached to a session. Their manager can give and take the keyboard, and put them out. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import { type Api, messageOf } from "../api.js";
import { age } from "../format.js";
import { NOBODY, describe, returning, sorted, summary, total } from "../people.js";
import type { Person, Presence } from "../protocol.js";
import { initials, tone } from "../users.js";
import { placeBelow } from "./dropdown.js";
import { PlainElement } from "./plain-element.js";

const WIDTH = 340;
const FACES = 3; // people whose initials the button shows

@customElement("vt-people")
export class People extends PlainElement {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) sessionId = "";
  @property({ attribute: false }) presence: Presence = NOBODY;
  /** The id of this page's connection. */
  @property({ attribute: false }) ownId = "";
  /** Whether this user may give and take the keyboard. */
  @property({ attribute: false }) manages = false;

  @state() private asking = ""; // id of the person who is about to be put out
  @state() private busy = "";
  @state() private error = "";

  protected override render(): TemplateResult {
    const { presence } = this;
    const people = sorted(presence.people, this.ownId);
    return html`<button
        class="people-button"
        popovertarget="people"
        aria-label=${summary(presence)}
        title=${summary(presence)}
        data-testid="people-open"
      >
        ${people.slice(0, FACES).map((each) => avatar(each))}
        ${total(presence) > FACES ? html`<span class="count">+${total(presence) - FACES}</span>` : nothing}
      </button>
      <section
        id="people"
        class="dropdown people"
        popover
        aria-label="People"
        data-testid="people"
        @beforetoggle=${this.toggles}
      >
        <h2>${summary(presence)}</h2>
        <ul>
          ${repeat(
            people,
            (each) => each.id,
            (each) => this.row(each),
          )}
        </ul>
        ${presence.more > 0 ? html`<p class="quiet more">and ${presence.more} more</p>` : nothing}
        <p class="error" role="alert">
          ${this.error === "" ? nothing : html`<span data-testid="people-error">${this.error}</span>`}
        </p>
      </section>`;
  }

  private row(each: Person): TemplateResult {
    const own = each.id === this.ownId;
    return html`<li class="person" data-testid="person" data-person-id=${each.id}>
      ${avatar(each)}
      <p>
        <span class="name"
          ><strong><bdi>${each.user}</bdi></strong>${own ? html`<span class="you">you</span>` : nothing}</span
        >
        <span class="quiet" data-testid="person-role" title="Here since ${new Date(each.since).toLocaleString()}"
          >${describe(each)} · ${age(each.since, Date.now())}</span
        >
      </p>
      ${this.manages && (!own || !each.writable) ? this.actions(each, own) : nothing}
    </li>`;
  }

  private actions(each: Person, own: boolean): TemplateResult {
    if (this.asking === each.id) {
      return html`<span class="question">
        <span class="quiet">${returning(each)}</span>
        <button class="text-button" @click=${() => (this.asking = "")}>Cancel</button>
        <button
          class="text-button bad"
          data-testid="person-out-confirm"
          ?disabled=${this.busy !== ""}
          @click=${() => this.attempt(each, () => this.api.putOut(this.sessionId, each.id))}
        >
          Put out
        </button>
      </span>`;
    }
    const verb = each.writable ? "Take keyboard" : own ? "Take keyboard back" : "Let them type";
    return html`<span class="question">
      <button
        class="text-button"
        data-testid="person-keyboard"
        aria-label="${verb}: ${each.user}"
        ?disabled=${this.busy !== ""}
        @click=${() => this.attempt(each, () => this.api.permit(this.sessionId, each.id, !each.writable))}
      >
        ${verb}
      </button>
      ${
        own
          ? nothing
          : html`<button
              class="text-button"
              data-testid="person-out"
              aria-label="Put out ${each.user}"
              @click=${() => (this.asking = each.id)}
            >
              Put out
            </button>`
      }
    </span>`;
  }

  private toggles(event: Event): void {
    placeBelow(event, WIDTH);
    this.asking = "";
    this.error = "";
  }

  /** The next presence message brings the change itself. */
  private async attempt(each: Person, work: () => Promise<unknown>): Promise<void> {
    if (this.busy !== "") return;
    this.busy = each.id;
    this.error = "";
    try {
      await work();
      this.asking = "";
    } catch (error) {
      this.error = messageOf(error);
    } finally {
      this.busy = "";
    }
  }
}

function avatar({ user, writable }: Person): TemplateResult {
  return html`<span class="avatar tone-${tone(user)} ${writable ? "" : "watching"}" aria-hidden="true"
    >${initials(user)}</span
  >`;
}
