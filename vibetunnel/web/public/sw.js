/**
 * The service worker: shows the notifications that the server pushes, and opens their session. It caches nothing and
 * sees no request. The server's vibetunnel/push/message.py says what a message has.
 */

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("push", (event) => event.waitUntil(show(event.data)));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(page(event.notification.data)));
});

async function show(received) {
  let message;
  try {
    message = received.json();
  } catch {
    message = { title: "vibetunnel" }; // a browser takes the right to push from a site that shows nothing
  }
  const { title, body, tag, silent, vibrate, data } = message;
  const windows = await windowsOf();
  if (data?.sessionId && windows.some((each) => each.focused && each.url === page(data))) return; // the user sees it
  const options = { body, data, silent: silent === true };
  if (tag) Object.assign(options, { tag, renotify: true });
  if (vibrate === true && !silent) options.vibrate = [100, 50, 100]; // ms
  await self.registration.showNotification(title, options);
}

/** The address of the session that a notification tells of, or of the list. */
function page(data) {
  const path = data?.sessionId ? `session/${encodeURIComponent(data.sessionId)}` : "./";
  return new URL(path, self.registration.scope).href;
}

async function open(url) {
  const windows = await windowsOf();
  const there = windows.find((each) => each.url === url);
  if (there) await there.focus();
  else await self.clients.openWindow(url);
}

function windowsOf() {
  return self.clients.matchAll({ type: "window", includeUncontrolled: true });
}
