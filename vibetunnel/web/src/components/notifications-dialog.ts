/** Switches notifications on for this device, and chooses of what the user is told on all devices. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";

import { type Api, ApiError, type NotificationPreferences, messageOf } from "../api.js";
import { type Support, isSubscribed, subscribe, support, unsubscribe } from "../push.js";
import { Modal } from "./modal.js";

type Choice = keyof NotificationPreferences;

const NEWS: readonly (readonly [Choice, string])[] = [
  ["sessionExit", "A session has ended"],
  ["sessionStart", "A session has started"],
  ["commandError", "A long command has failed"],
  ["commandCompletion", "A long command has finished"],
  ["claudeTurn", "A program asks for your attention"],
  ["bell", "The bell has rung"],
];
const MANNERS: readonly (readonly [Choice, string])[] = [
  ["soundEnabled", "Sound"],
  ["vibrationEnabled", "Vibration"],
];
const CANNOT: Readonly<Record<Exclude<Support, "ready">, string>> = {
  insecure: "Browsers allow notifications only over HTTPS or on localhost. Open this server at such an address.",
  install: "Add this page to the home screen (Share, then Add to Home Screen), and open it from there.",
  unsupported: "This browser cannot receive notifications.",
  denied: "This browser blocks notifications of this page. Allow them in the browser's settings for this page.",
};

@customElement("vt-notifications-dialog")
export class NotificationsDialog extends Modal {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) userId = "";

  @state() private on: boolean | undefined; // undefined until it is known
  @state() private preferences: NotificationPreferences | undefined;
  @state() private off = ""; // why the server sends none
  @state() private busy = false;
  @state() private error = "";
  @state() private said = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  protected override render(): TemplateResult {
    const hindrance = this.off || (support() === "ready" ? "" : CANNOT[support() as Exclude<Support, "ready">]);
    return html`<dialog class="modal" aria-labelledby="notifications-title">
      <h2 id="notifications-title">Notifications</h2>
      <p class="quiet">Be told of what happens in sessions, also while no page is open.</p>
      ${
        hindrance === ""
          ? nothing
          : html`<p class="warning" data-testid="notifications-hindrance">${hindrance}</p>`
      }
      <label class="switch">
        <span>On this device</span>
        <input
          type="checkbox"
          role="switch"
          data-testid="notifications-on"
          .checked=${live(this.on ?? false)}
          ?disabled=${this.busy || this.on === undefined || hindrance !== ""}
          @change=${(event: Event) => this.attempt(() => this.turn((event.target as HTMLInputElement).checked))}
        />
      </label>
      ${this.group("Tell me when", NEWS)} ${this.group("How", MANNERS)}
      <p class="error" role="alert">
        ${this.error === "" ? nothing : html`<span data-testid="error">${this.error}</span>`}
      </p>
      <p class="quiet" role="status" data-testid="notifications-said">${this.said}</p>
      <footer>
        <button
          type="button"
          class="button"
          data-testid="notifications-test"
          ?disabled=${this.busy || !this.on}
          @click=${() => this.attempt(() => this.test())}
        >
          Send a test
        </button>
        <button type="button" class="button primary" @click=${this.close} autofocus>Done</button>
      </footer>
    </dialog>`;
  }

  private group(heading: string, choices: readonly (readonly [Choice, string])[]): TemplateResult {
    return html`<fieldset class="switches" ?disabled=${this.preferences === undefined || this.off !== ""}>
      <legend class="quiet">${heading}</legend>
      ${choices.map(
        ([choice, name]) =>
          html`<label class="switch">
            <span>${name}</span>
            <input
              type="checkbox"
              role="switch"
              data-testid="notifications-choice"
              data-choice=${choice}
              .checked=${live(this.preferences?.[choice] ?? false)}
              @change=${(event: Event) =>
                this.attempt(() => this.choose({ [choice]: (event.target as HTMLInputElement).checked }))}
            />
          </label>`,
      )}
    </fieldset>`;
  }

  private async load(): Promise<void> {
    try {
      this.preferences = (await this.api.config()).notificationPreferences;
      this.on = await isSubscribed(this.userId);
      if (support() === "ready") await this.api.pushKey();
    } catch (error) {
      if (error instanceof ApiError && error.status === 503) this.off = `This server sends no notifications. ${error.message}.`;
      else this.error = messageOf(error);
    }
  }

  private async turn(on: boolean): Promise<void> {
    this.on = on;
    if (!on) {
      await unsubscribe(this.api);
      return;
    }
    if (!(await subscribe(this.api, this.userId))) throw new Error("The browser was not allowed to show notifications.");
    // What a program says, too: pages show that while no push is on, and leave it to push from now on.
    if (!this.preferences?.enabled) await this.choose({ enabled: true, claudeTurn: true });
  }

  private async choose(changes: Partial<NotificationPreferences>): Promise<void> {
    const { preferences: before } = this;
    const set = (some: Partial<NotificationPreferences>): void => {
      if (this.preferences) this.preferences = { ...this.preferences, ...some };
    };
    set(changes);
    try {
      await this.api.chooseNotifications(changes);
    } catch (error) {
      if (before) set(Object.fromEntries(Object.keys(changes).map((name) => [name, before[name as Choice]])));
      throw error;
    }
  }

  private async test(): Promise<void> {
    const { sent, failed, errors } = await this.api.testPush();
    if (failed > 0) throw new Error(`Not sent to ${failed} of ${sent + failed} devices: ${errors.join("; ")}.`);
    this.said = `Sent to ${sent} ${sent === 1 ? "device" : "devices"}. It should appear within seconds.`;
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.error = this.said = "";
    try {
      await work();
    } catch (error) {
      this.error = messageOf(error);
      this.on = await isSubscribed(this.userId).catch(() => false);
    } finally {
      this.busy = false;
      this.requestUpdate();
    }
  }
}
