/** Another client (`--web-client`) keeps its token where VibeTunnel's own client does, and has no page for our links. */

import type { Tokens } from "./api.js";
import { href } from "./base.js";

const TOKEN = "vibetunnel_auth_token";
const USER = "vibetunnel_user_data";

/** Give the other client the login that our page has made, and open it. */
export function handOver(login: Tokens, next: string): void {
  localStorage.setItem(TOKEN, login.token);
  localStorage.setItem(USER, JSON.stringify({ userId: login.userId, authMethod: "password", loginTime: Date.now() }));
  location.replace(href(next));
}
