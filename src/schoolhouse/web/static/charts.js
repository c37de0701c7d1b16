// Draws each [data-chart] from the Vega-Lite specification in the element of that id, in the page's own colours, and
// again when they change. `ast` lets Vega run without eval; its own style elements stay out, since the page forbids them.

// What has no colour of its own; on light and dark ground alike. Pictures have the same: analytics/drawing.py.
const SERIES = ["#4a8fd4", "#e08a3c", "#2aa198", "#cf5b52", "#8c70c4", "#d1a32a", "#c86da4", "#58a55c", "#7a8ca8", "#a5813f"];

const scheme = matchMedia("(prefers-color-scheme: dark)");

function colours() {
  const style = getComputedStyle(document.documentElement);
  const [ink, quiet, line] = ["--ink", "--quiet", "--line"].map((name) => style.getPropertyValue(name).trim());
  const font = getComputedStyle(document.body).fontFamily;
  return {
    background: "transparent",
    font,
    view: { stroke: null },
    mark: { color: SERIES[0] },
    range: { category: SERIES },
    axis: { labelColor: quiet, titleColor: quiet, gridColor: line, domainColor: line, tickColor: line,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    axisX: { grid: false, labelPadding: 6, labelSeparation: 8 },
    axisY: { domain: false, ticks: false, labelPadding: 8 },
    legend: { labelColor: ink, titleColor: quiet, labelFontSize: 12, symbolSize: 90, columnPadding: 14, rowPadding: 4 },
  };
}

async function draw(place) {
  const source = document.getElementById(place.dataset.chart);
  if (!source) return; // a newer panel has taken its place
  const spec = JSON.parse(source.textContent);
  const columns = Math.max(2, Math.floor(place.clientWidth / 130));
  spec.config = { ...spec.config, ...colours() };
  if (spec.encoding?.color?.legend) spec.encoding.color.legend.columns = columns;
  [spec.width, spec.height] = [place.clientWidth, place.clientHeight];
  try {
    const canvas = document.createElement("div");
    const result = await window.vegaEmbed(canvas, spec, {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
    });
    place.view?.finalize();
    place.view = result.view;
    // To readers the place is one image with a name, and a table with its numbers follows.
    canvas.querySelector("svg")?.setAttribute("aria-hidden", "true");
    place.setAttribute("role", "img");
    if (!place.hasAttribute("aria-label")) place.setAttribute("aria-label", spec.description ?? "Chart");
    place.replaceChildren(canvas);
    place.drawnWidth = spec.width;
    place.dataset.state = "drawn";
  } catch (error) {
    console.error(error);
    place.dataset.state = "failed";
    const note = document.createElement("p");
    note.className = "chart-note";
    note.textContent = "The chart could not be drawn. The table below holds its numbers.";
    place.replaceChildren(note);
    document.dispatchEvent(new CustomEvent("charts:failed", { detail: error.message }));
  }
}

let waiting;
const watcher = new ResizeObserver((entries) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => entries.map((entry) => entry.target)
    .filter((place) => place.drawnWidth && place.drawnWidth !== place.clientWidth).forEach(draw), 150);
});

// Panels arrive later than the page: each chart is drawn once it is there.
const places = new Set();

function adopt(root) {
  const fresh = [...root.querySelectorAll("[data-chart]")].filter((place) => !places.has(place));
  fresh.forEach((place) => places.add(place));
  return Promise.all(fresh.map(async (place) => {
    await draw(place);
    watcher.observe(place);
  }));
}

function drawAll() {
  for (const place of places) {
    if (place.isConnected) draw(place);
    else forget(place);
  }
}

function forget(place) {
  watcher.unobserve(place);
  place.view?.finalize();
  places.delete(place);
}

scheme.addEventListener("change", drawAll);
document.addEventListener("htmx:afterSettle", (event) => {
  [...places].filter((place) => !place.isConnected).forEach(forget);
  adopt(event.detail.elt.isConnected ? event.detail.elt.parentElement ?? document : document);
});
document.addEventListener("charts:arrived", () => {
  [...places].filter((place) => !place.isConnected).forEach(forget);
  adopt(document);
});
await adopt(document);
