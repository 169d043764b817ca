/** The uploads of a tab: they go on while the user looks at something else. The browser asks before it ends them. */

import type { Api } from "./api.js";
import { FileApi } from "./file-api.js";
import { Uploads } from "./uploads.js";

const all = new WeakMap<Api, Uploads>();

/** The uploads into folders, for all panels and pages. They end when the user logs out. */
export function uploadsOf(api: Api): Uploads {
  const known = all.get(api);
  if (known) return known;
  const uploads = new Uploads(new FileApi(api));
  all.set(api, uploads);
  askBeforeLeaving(uploads);
  addEventListener("vt-log-out", () => {
    if (uploads.active) uploads.cancel();
    uploads.dismiss();
  });
  return uploads;
}

/** While files are on their way, the browser asks before it leaves the application. */
export function askBeforeLeaving(uploads: Uploads): void {
  const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
  uploads.addEventListener("change", () => {
    if (uploads.active) addEventListener("beforeunload", ask);
    else removeEventListener("beforeunload", ask);
  });
}
