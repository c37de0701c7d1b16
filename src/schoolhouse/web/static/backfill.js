// Live cards and logs. One stream tells which runs changed; htmx fetches their cards, and the logs below fetch entries.
// Without this script the forms and buttons work by loading the page.
const base = "/admin/clickhouse/backfill";
const list = document.getElementById("runs");
const kind = list.dataset.kind;
const status = document.getElementById("stream");
const MOST = 200;
const NEAR = 16;
const AGAIN_MS = 2000;
const LOOK_BACK = 50; // entries may be committed in another order than they were numbered
let stream;
let isBroken = false;

function listen() {
  if (stream || document.hidden) return;
  stream = new EventSource(`${base}/events?tab=${kind}`);
  stream.onopen = () => {
    status.textContent = "Updates are live.";
    if (isBroken) htmx.trigger(document.body, "runs-changed"); // what happened meanwhile was not told
    isBroken = false;
  };
  stream.onerror = () => {
    status.textContent = "Updates are interrupted; trying again…";
    isBroken = true;
    if (stream?.readyState !== EventSource.CLOSED) return; // the browser opens it again by itself
    stream = null; // it was refused, as by a proxy while the server starts
    setTimeout(listen, AGAIN_MS);
  };
  stream.addEventListener("runs", () => htmx.trigger(document.body, "runs-changed"));
  stream.addEventListener("run", (event) => refresh(event.data));
  stream.addEventListener("log", (event) => {
    for (const log of list.querySelectorAll(`details.log[data-run="${event.data}"][open]`)) newer(log);
  });
}

function refresh(run) {
  const facts = document.getElementById(`facts-${kind}-${run}`);
  if (facts && !facts.classList.contains("htmx-request")) {
    htmx.ajax("GET", `${base}/${kind}/${run}`, { target: facts, swap: "outerHTML", source: facts });
  }
}

const entries = (log) => log.querySelector(".entries");
const isLive = (log) => log.querySelector(".log-live").checked;
const say = (log, text) => { log.querySelector(".log-note").textContent = text; };
const ids = (log) => [...entries(log).children].map((entry) => Number(entry.dataset.id)).filter(Boolean);

async function fetched(log, asked) {
  const batch = log.querySelector(".log-batch")?.value;
  const words = new URLSearchParams({ ...asked, ...(batch ? { batch } : {}) });
  const answer = await fetch(`${base}/${log.dataset.kind}/${log.dataset.run}/logs?${words}`);
  if (answer.status === 401) { say(log, "Sign in again to see the log."); return []; }
  if (!answer.ok) { say(log, "The log could not be read."); return []; }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return [...page.querySelectorAll("li.entry")];
}

function alone(log, work) { // one request of a log at a time; one more if something came meanwhile
  if (log.busy) { log.again = work; return log.busy; }
  log.busy = work().finally(() => {
    log.busy = null;
    const next = log.again;
    log.again = null;
    if (next) alone(log, next);
  });
  return log.busy;
}

function reload(log) {
  return alone(log, async () => {
    const found = await fetched(log, {});
    entries(log).replaceChildren(...found);
    entries(log).scrollTop = 0;
    say(log, found.length ? "" : "No chunks yet.");
  });
}

function newer(log) {
  if (!isLive(log)) { say(log, "New entries are there; switch Live on to see them."); return undefined; }
  return alone(log, async () => {
    const box = entries(log);
    const known = new Set(ids(log));
    if (!known.size) { box.replaceChildren(...await fetched(log, {})); say(log, ""); return; }
    const found = await fetched(log, { after: Math.max(0, Math.max(...known) - LOOK_BACK), limit: MOST });
    if (found.length === MOST) box.replaceChildren(...await fetched(log, {})); // too far behind: the newest, anew
    else box.prepend(...found.filter((entry) => !known.has(Number(entry.dataset.id))));
    while (box.children.length > MOST) box.lastElementChild.remove();
    box.scrollTop = 0;
    say(log, "");
  });
}

function scrolled(log) {
  const box = entries(log);
  if (box.scrollTop > NEAR && isLive(log)) {
    log.querySelector(".log-live").checked = false;
    say(log, "Live is off while you read; switch it on to see the newest.");
  }
  const known = ids(log);
  if (!known.length) return;
  if (box.scrollTop + box.clientHeight > box.scrollHeight - 4 * NEAR) {
    alone(log, async () => {
      const found = await fetched(log, { before: Math.min(...ids(log)) });
      box.append(...found);
      const kept = box.scrollTop;
      let gone = 0;
      while (box.children.length > MOST) { gone += box.firstElementChild.offsetHeight; box.firstElementChild.remove(); }
      box.scrollTop = kept - gone;
    });
  } else if (box.scrollTop < NEAR && !isLive(log)) {
    alone(log, async () => {
      const known = ids(log);
      const found = await fetched(log, { after: Math.max(...known), limit: 25 });
      const height = box.scrollHeight;
      box.prepend(...found.filter((entry) => !known.includes(Number(entry.dataset.id))));
      if (found.length) box.scrollTop = box.scrollHeight - height;
      while (box.children.length > MOST) box.lastElementChild.remove();
    });
  }
}

list.addEventListener("toggle", (event) => {
  if (event.target.matches("details.log") && event.target.open) reload(event.target);
}, true);
list.addEventListener("scroll", (event) => {
  const log = event.target.closest?.("details.log");
  if (log) scrolled(log);
}, true);
list.addEventListener("change", (event) => {
  const log = event.target.closest("details.log");
  if (!log) return;
  if (event.target.matches(".log-batch") || (event.target.matches(".log-live") && event.target.checked)) reload(log);
});
list.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-log]");
  if (!button) return;
  const log = list.querySelector(`details.log[data-run="${button.dataset.of}"]`);
  const choice = log.querySelector(".log-batch");
  if (![...choice.options].some((option) => option.value === button.dataset.log)) {
    choice.add(new Option(button.closest("tr").querySelector("th").textContent, button.dataset.log));
  }
  choice.value = button.dataset.log;
  if (log.open) reload(log);
  else log.open = true;
  log.scrollIntoView({ block: "nearest" });
});
// A list that is fetched anew keeps the logs that are open.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target === list) list.open = [...list.querySelectorAll("details.log[open]")].map((log) => log.dataset.run);
});
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== list) return;
  for (const run of list.open ?? []) {
    const log = list.querySelector(`details.log[data-run="${run}"]`);
    if (log) log.open = true;
  }
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream?.close();
    stream = null;
    return;
  }
  htmx.trigger(document.body, "runs-changed");
  listen();
});
addEventListener("pagehide", () => stream?.close());
listen();
