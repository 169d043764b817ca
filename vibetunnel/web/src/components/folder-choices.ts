/** A list below a field for a folder: recent folders, repositories, and ways to go on with what was typed. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import type { Api } from "../api.js";
import { FileApi, type PathCompletion } from "../file-api.js";
import { readable } from "../file-paths.js";
import { folderName } from "../format.js";
import { type FoundRepository, GitApi } from "../git-api.js";
import { type FolderChoice, folderChoices } from "../worktrees.js";
import { clock } from "./git-icons.js";
import { branch, folder } from "./icons.js";
import { PlainElement } from "./plain-element.js";
import "../styles/worktrees.css";

const SETTLE_MS = 120; // after a key
const GAP = 4; // CSS pixels
const KINDS = { recent: "Recent", repository: "Repository", completion: "" } as const;
const ICONS = { recent: clock, repository: branch, completion: folder } as const;

@customElement("vt-folder-choices")
export class FolderChoices extends PlainElement {
  @property({ attribute: false }) api!: Api;
  /** The field. Its `input` event is also sent when a choice is taken. */
  @property({ attribute: false }) field: HTMLInputElement | null = null;
  @property({ attribute: false }) recent: readonly string[] = [];
  @property({ attribute: false }) home: string | undefined;

  @state() private choices: readonly FolderChoice[] = [];
  @state() private active = -1;

  private repositories: readonly FoundRepository[] = [];
  private taken: string | undefined; // the choice in the field, after which nothing is offered until the user types
  private asked = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private leaving = new AbortController();

  protected override firstUpdated(): void {
    const { field } = this;
    if (!field) return;
    const { signal } = this.leaving;
    field.setAttribute("role", "combobox");
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", "folder-choices");
    field.setAttribute("aria-expanded", "false");
    field.addEventListener("input", () => this.typed(), { signal });
    field.addEventListener("click", () => this.lookIfUsed(), { signal });
    field.addEventListener("blur", () => this.hide(), { signal });
    field.addEventListener("keydown", (event) => this.pressed(event), { signal });
    this.followField(field, signal);
    void this.findRepositories();
    this.lookIfUsed(); // this part may have been loaded after the user came to the field
  }

  /** The field moves if its dialog grows, as what was typed becomes a repository, or is scrolled. */
  private followField(field: HTMLInputElement, signal: AbortSignal): void {
    const follow = (): void => {
      if (this.list?.matches(":popover-open")) this.place(this.list, field);
    };
    const sizes = new ResizeObserver(follow);
    sizes.observe(field.closest("dialog") ?? document.body);
    signal.addEventListener("abort", () => sizes.disconnect());
    addEventListener("resize", follow, { signal });
    addEventListener("scroll", follow, { signal, capture: true });
  }

  private async findRepositories(): Promise<void> {
    this.repositories = await new GitApi(this.api).repositories().catch(() => []); // the other choices do without
    this.lookIfUsed();
  }

  private lookIfUsed(): void {
    const { field } = this;
    if (field && document.activeElement === field && field.value !== this.taken) this.typed();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leaving.abort();
    clearTimeout(this.timer);
  }

  protected override render(): TemplateResult {
    return html`<ul id="folder-choices" class="folder-choices" role="listbox" aria-label="Folders" popover="manual" data-testid="folder-choices">
      ${this.choices.map(
        (each, at) => html`<li
          id="folder-choice-${at}"
          role="option"
          aria-selected=${at === this.active}
          data-testid="folder-choice"
          @mousedown=${(event: Event) => event.preventDefault()}
          @click=${() => this.take(each)}
        >
          ${each.branch === undefined ? ICONS[each.kind] : branch}
          <span class="mono path"><bdi>${readable(folderName(each.path, this.home))}</bdi></span>
          ${each.branch ? html`<span class="quiet"><bdi>${readable(each.branch)}</bdi></span>` : nothing}
          ${KINDS[each.kind] === "" ? nothing : html`<span class="hidden">${KINDS[each.kind]}</span>`}
        </li>`,
      )}
    </ul>`;
  }

  protected override updated(): void {
    const { list, field } = this;
    if (!list || !field) return;
    const wanted = this.choices.length > 0 && document.activeElement === field;
    if (wanted) this.place(list, field);
    if (wanted !== list.matches(":popover-open")) list.togglePopover(wanted);
    field.setAttribute("aria-expanded", `${wanted}`);
    if (this.active >= 0) field.setAttribute("aria-activedescendant", `folder-choice-${this.active}`);
    else field.removeAttribute("aria-activedescendant");
    list.children[this.active]?.scrollIntoView({ block: "nearest" });
  }

  private get list(): HTMLElement | null {
    return this.querySelector<HTMLElement>("#folder-choices");
  }

  private place(list: HTMLElement, field: HTMLElement): void {
    const { bottom, left, width } = field.getBoundingClientRect();
    const room = Math.max(120, (visualViewport?.height ?? innerHeight) - bottom - 3 * GAP);
    Object.assign(list.style, {
      top: `${bottom + GAP}px`,
      left: `${left}px`,
      width: `${width}px`,
      maxHeight: `${Math.min(280, room)}px`,
    });
  }

  private hide(): void {
    clearTimeout(this.timer);
    this.asked += 1;
    this.choices = [];
    this.active = -1;
  }

  private typed(): void {
    this.taken = undefined;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look(), SETTLE_MS);
  }

  private async look(): Promise<void> {
    const asked = ++this.asked;
    const typed = this.field?.value.trim() ?? "";
    let completions: readonly PathCompletion[] = [];
    if (typed !== "") completions = await new FileApi(this.api).completions(typed).catch(() => []);
    if (asked !== this.asked) return;
    const found = folderChoices(typed, this.recent, this.repositories, completions, this.home);
    const rest = found.filter(({ path }) => plain(folderName(path, this.home)) !== plain(typed));
    this.choices = rest.length > 0 ? found : []; // a list of only what was typed would cover what is below
    this.active = -1;
  }

  private take(choice: FolderChoice): void {
    const { field } = this;
    if (!field) return;
    field.value = folderName(choice.path, this.home);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    this.hide();
    this.taken = field.value;
  }

  private pressed(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const { choices, active } = this;
    const chosen = choices[active] ?? (event.key === "Tab" && choices.length === 1 ? choices[0] : undefined);
    if (event.key === "ArrowDown" && choices.length === 0) this.typed();
    else if (event.key === "ArrowDown") this.active = (active + 1) % choices.length;
    else if (event.key === "ArrowUp" && choices.length > 0) this.active = active <= 0 ? choices.length - 1 : active - 1;
    else if (event.key === "Escape" && choices.length > 0) this.hide();
    else if (chosen && (event.key === "Enter" || (event.key === "Tab" && !event.shiftKey))) this.take(chosen);
    else return; // Enter without a choice creates the session, and Tab goes on to the next field
    event.preventDefault();
  }
}

/** A path without a slash at its end. */
function plain(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}
