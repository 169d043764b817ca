/** What a program wants a person to notice: its progress, and its notifications. */

import type { Notice, Progress, Session } from "./api.js";
import type { ServerEvent } from "./events.js";
import { subscribedUser } from "./push.js";

/** The session after an event that tells its progress or its newest notification; null takes either away. */
export function noticed(session: Session, event: ServerEvent): Session {
  if (event.type === "progress" && event.progress !== undefined) return { ...session, progress: event.progress };
  if (event.type === "notification" && event.notification !== undefined)
    return { ...session, notification: event.notification };
  return session;
}

/** "42%"; "…" while the program does not know how far it is. Empty: it reports no progress. */
export function progressText(progress: Progress | null | undefined): string {
  if (!progress) return "";
  return progress.percent === null ? "…" : `${progress.percent}%`;
}

/** A notification in one line. */
export function noticeText({ title, body }: Notice): string {
  return title && body ? `${title}: ${body}` : title || body;
}

/** Whether the user has allowed this site to show notifications. The page never asks for it by itself. */
export function mayNotify(): boolean {
  return typeof Notification !== "undefined" && Notification.permission === "granted";
}

/**
 * Show the browser's own notification, if the user has allowed it and does not look at the page. Not where the server
 * tells this browser (push.ts): the user would be told twice.
 */
export function announce(event: ServerEvent, name: string): void {
  const { notification, sessionId } = event;
  if (event.type !== "notification" || !notification || !mayNotify() || document.hasFocus() || subscribedUser()) return;
  try {
    const title = notification.title || name;
    const shown = new Notification(title, { body: notification.body, tag: `vibetunnel ${sessionId ?? ""}` });
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
  } catch {
    // Chromium on Android shows notifications of service workers only; the page shows this one.
  }
}
