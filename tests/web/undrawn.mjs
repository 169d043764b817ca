// For pages whose cells are compared by the thousand: nearly all of their time would be that of frames and WebGL, on which
// the cells do not depend. The client falls back to the DOM, hears of a frame every FRAME_MS, and is laid out, but not painted.

const FRAME_MS = 250;

const { getContext } = HTMLCanvasElement.prototype;
HTMLCanvasElement.prototype.getContext = function (kind, ...options) {
  return kind.startsWith("webgl") ? null : getContext.call(this, kind, ...options);
};

const nextFrame = window.requestAnimationFrame;
const wanted = new Set();
window.requestAnimationFrame = (draw) => {
  const number = setTimeout(() => nextFrame((now) => wanted.delete(number) && draw(now)), FRAME_MS);
  wanted.add(number);
  return number;
};
window.cancelAnimationFrame = (number) => wanted.delete(number);

addEventListener("DOMContentLoaded", () => (document.documentElement.style.contentVisibility = "hidden"));
