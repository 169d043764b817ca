/** What stands in the place of a terminal that the user cannot see. */

import { type TemplateResult, html, nothing } from "lit";

import { href } from "../base.js";

const NOTICES = {
  missing: {
    heading: "This session does not exist",
    text: "It was removed, or the address is wrong.",
  },
  forbidden: {
    heading: "You have no access to this session",
    text: "It was not shared with you, or your access was revoked.",
  },
  out: {
    heading: "You have been put out of this session",
    text: "Its owner ended your connection, or your access to it has ended.",
  },
} as const;

export type Gone = keyof typeof NOTICES;

export function headingOf(gone: Gone): string {
  return NOTICES[gone].heading;
}

/** The page of a user, or of a guest, who has no list of sessions to go back to. */
export function terminalNotice(gone: Gone, guest: boolean, comeBack: () => void, logIn: () => void): TemplateResult {
  const { heading, text } = NOTICES[gone];
  return html`<main class="notice" role="alert" data-testid="notice-${gone}">
    <h1>${heading}</h1>
    <p data-testid="error">${text}</p>
    <div class="choices">
      ${
        gone === "out" && !guest
          ? html`<button class="button" data-testid="come-back" @click=${comeBack}>Come back</button>`
          : nothing
      }
      ${guest ? nothing : html`<a class="button" href=${href("/")}>All sessions</a>`}
      ${guest && gone !== "missing" ? html`<button class="button" @click=${logIn}>Log in</button>` : nothing}
    </div>
  </main>`;
}
