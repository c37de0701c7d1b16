// Keeps a part of the page up to date from a stream of events, and lets go of it while nobody looks.
const part = document.querySelector("[data-live-from]");
const state = document.querySelector("[data-live-state]");
const AGAIN_MS = 2000;
let source = null;

function say(text) {
  if (state && state.textContent !== text) state.textContent = text;
}

function open() {
  if (source || document.hidden) return;
  source = new EventSource(part.dataset.liveFrom);
  source.addEventListener("open", () => say("Live"));
  source.addEventListener("part", (event) => {
    const unfolded = new Set([...part.querySelectorAll("details[open]")].map((each) => each.id));
    const focused = document.activeElement?.id;
    part.innerHTML = JSON.parse(event.data);
    for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
    if (focused && part.querySelector(`#${CSS.escape(focused)}`)) document.getElementById(focused).focus();
    say("Live");
  });
  source.addEventListener("problem", (event) => say(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    say("Connecting again…");
    if (source?.readyState !== EventSource.CLOSED) return; // the browser opens it again by itself
    source = null; // it was refused, as by a proxy while the server starts
    setTimeout(open, AGAIN_MS);
  });
}

function close() {
  source?.close();
  source = null;
  say("Paused");
}

document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
addEventListener("pagehide", close);
addEventListener("pageshow", open);
open();
