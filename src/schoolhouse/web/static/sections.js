// The list without page loads: typing filters it, headings and page links swap it. Without this script the form and
// the links do the same by loading the page.
const list = document.getElementById("list");
const form = document.querySelector("form[data-live]");
let newest = 0;
let shown = location.search;

async function show(address, { push }) {
  const mine = ++newest;
  list.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== newest) return;
    const fresh = page.getElementById("list");
    if (!fresh) throw new Error("no list");
    const focused = document.activeElement?.closest?.("#list a")?.closest("th")?.className;
    list.replaceChildren(...fresh.childNodes);
    if (focused) list.querySelector(`thead th[class="${focused}"] a`)?.focus();
    for (const name of ["sort", "order"]) form.elements[name].value = page.querySelector(`form [name=${name}]`).value;
    if (push) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    shown = location.search;
  } catch {
    location.assign(address); // the server's own page says what is wrong
  } finally {
    if (mine === newest) list.removeAttribute("aria-busy");
  }
}

if (form) {
  let waiting;
  const wanted = () => `/?${new URLSearchParams(new FormData(form))}`;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => show(wanted(), { push: false }), 200);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    show(wanted(), { push: false });
  });
  list.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-swap]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(link.href, { push: true });
  });
  addEventListener("popstate", () => {
    if (location.search === shown) return; // only the fragment changed
    form.elements.q.value = new URLSearchParams(location.search).get("q") ?? "";
    show(location.pathname + location.search, { push: false });
  });
}
