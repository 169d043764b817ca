/** Menus below a button: popovers of the browser, which close on Escape and on a click elsewhere. */

const GAP = 6; // CSS pixels, as all lengths here
const MARGIN = 8; // to the window's edges

/**
 * Handles `beforetoggle` of a popover: puts it below the button that opens it, their right edges in line. Its width is
 * `width`, or less where the window is narrower.
 */
export function placeBelow(event: Event, width: number): void {
  const popover = event.target;
  if (!(popover instanceof HTMLElement) || !(event instanceof ToggleEvent) || event.newState !== "open") return;
  const button = document.querySelector(`[popovertarget="${popover.id}"]`);
  if (!button) return;
  const { bottom, right } = button.getBoundingClientRect();
  const room = document.documentElement.clientWidth;
  const fitting = Math.min(width, room - 2 * MARGIN);
  const left = Math.max(MARGIN, Math.min(right, room - MARGIN) - fitting);
  Object.assign(popover.style, { top: `${bottom + GAP}px`, left: `${left}px`, width: `${fitting}px` });
}

/** Close the popover that `inside` is in. */
export function closeDropdown(inside: HTMLElement): void {
  inside.querySelector<HTMLElement>("[popover]")?.hidePopover();
}
