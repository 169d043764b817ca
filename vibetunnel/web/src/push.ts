/** This browser's notifications: asking the user, subscribing at the browser's push service, and telling the server. */

import type { Api } from "./api.js";
import { href, root } from "./base.js";

const SUBSCRIBED = "vibetunnel.notifications"; // the user whose notifications this browser gets

/** `insecure`: the page is neither on HTTPS nor on this machine. `install`: on iOS, only pages on the home screen may. */
export type Support = "ready" | "insecure" | "install" | "unsupported" | "denied";

export function support(): Support {
  if (!window.isSecureContext) return "insecure";
  if (!("serviceWorker" in navigator) || !("PushManager" in window) || typeof Notification === "undefined") {
    return /iPhone|iPad/.test(navigator.userAgent) ? "install" : "unsupported";
  }
  return Notification.permission === "denied" ? "denied" : "ready";
}

/** Whether this browser gets the notifications of this user. */
export async function isSubscribed(userId: string): Promise<boolean> {
  return support() === "ready" && subscribedUser() === userId && (await subscription()) !== null;
}

/** Ask the user, and switch notifications on. Returns false if the user has refused. */
export async function subscribe(api: Api, userId: string): Promise<boolean> {
  if ((await Notification.requestPermission()) !== "granted") return false;
  const key = bytes(await api.pushKey());
  const registration = await navigator.serviceWorker.register(href("/sw.js"), { scope: root() });
  await navigator.serviceWorker.ready;
  const old = await registration.pushManager.getSubscription();
  if (old && !same(old.options.applicationServerKey, key)) await old.unsubscribe(); // of a server with another key
  const made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  await api.subscribe(made.toJSON());
  remember(userId);
  return true;
}

/** Switch notifications off in this browser. From then on none arrives, even if the server cannot be told. */
export async function unsubscribe(api: Api): Promise<void> {
  const found = await subscription();
  await found?.unsubscribe();
  remember(undefined);
  if (found) await api.unsubscribe(found.endpoint);
}

/**
 * After a login: a subscription ends with the login that has made it, so the next login makes it again. Not after
 * logging out, which clears what the browser keeps.
 */
export async function resubscribe(api: Api, userId: string): Promise<void> {
  try {
    if (!(await isSubscribed(userId))) return;
    const found = await subscription();
    if (found) await api.subscribe(found.toJSON());
  } catch {
    // The server is not reachable, or sends no notifications now. The dialog says so when it is opened.
  }
}

async function subscription(): Promise<PushSubscription | null> {
  const registration = await navigator.serviceWorker.getRegistration(root());
  return (await registration?.pushManager.getSubscription()) ?? null;
}

/** The bytes of base64url. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
}

function same(one: ArrayBuffer | null, other: Uint8Array): boolean {
  if (one?.byteLength !== other.length) return false;
  return new Uint8Array(one).every((byte, at) => byte === other[at]);
}

/** The user whose notifications this browser gets; null: none. */
export function subscribedUser(): string | null {
  try {
    return localStorage.getItem(SUBSCRIBED);
  } catch {
    return null; // the user blocks the data of sites
  }
}

function remember(userId: string | undefined): void {
  try {
    if (userId === undefined) localStorage.removeItem(SUBSCRIBED);
    else localStorage.setItem(SUBSCRIBED, userId);
  } catch {
    // Then notifications end with this login.
  }
}
