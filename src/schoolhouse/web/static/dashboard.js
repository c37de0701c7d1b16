// What htmx leaves to us: trying again, and saying what kept a panel from arriving, or a choice from being shown.
function say(place, text) {
  if (place.id === "dashboard") return refuse(text);
  const note = document.createElement("div");
  note.className = "chart chart-problem";
  note.dataset.state = "error";
  note.setAttribute("role", "alert");
  const words = document.createElement("div");
  words.className = "chart-note";
  const line = document.createElement("p");
  line.textContent = text;
  const again = document.createElement("button");
  again.type = "button";
  again.dataset.again = "";
  again.textContent = "Try again";
  const box = document.createElement("div");
  box.append(line, again);
  words.append(box);
  note.append(words);
  place.replaceChildren(note);
}

// A choice that was refused leaves everything as it is, form included, so that it can be changed.
function refuse(text) {
  document.getElementById("refusal").textContent = text;
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, isError, xhr } = event.detail;
  if (target.id !== "dashboard") return;
  if (isError) {
    event.detail.shouldSwap = false;
    refuse(told(xhr));
  } else refuse("");
});

function told(xhr) {
  try {
    const { message, hint } = JSON.parse(xhr.responseText).error;
    return [message, hint].filter(Boolean).join(" ");
  } catch {
    return `The server answered ${xhr.status}.`;
  }
}

document.addEventListener("click", (event) => {
  const slot = event.target.closest?.("[data-again]")?.closest("[hx-get]");
  if (slot) window.htmx.ajax("GET", slot.getAttribute("hx-get"), { target: slot, swap: "innerHTML" });
});
document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  if (status === 401) location.reload(); // the server leads to the sign-in
  else if (status === 403) say(event.detail.target, "You may not see this.");
});
// htmx asks nothing with a number out of range; the browser says why.
document.addEventListener("htmx:validation:halted", (event) => event.detail.elt.reportValidity());
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => say(event.detail.target, "The server did not answer."));
}
