/** A program's progress as a thin bar. */

import { type TemplateResult, html, nothing } from "lit";

import type { Progress } from "../api.js";
import { progressText } from "../attention.js";

const WORDS = { set: "Progress", error: "Progress, failed", indeterminate: "Working", paused: "Progress, paused" } as const;

export function progressBar(progress: Progress | null | undefined): TemplateResult | typeof nothing {
  if (!progress) return nothing;
  const { state, percent } = progress;
  return html`<div
    class="progress ${state}"
    role="progressbar"
    aria-label=${WORDS[state]}
    aria-valuenow=${percent ?? nothing}
    title="${WORDS[state]} ${progressText(progress)}"
    data-testid="progress"
    data-state=${state}
  >
    <span .style=${`width: ${percent ?? 30}%`}></span>
  </div>`;
}
