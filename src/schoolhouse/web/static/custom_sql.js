// The custom-SQL page: two editors, the answer as rows in pages and as a chart, and saved questions.
const { api, person, isAdmin } = document.getElementById("custom").dataset;
const at = (id) => document.getElementById(id);
const ace = window.ace;
const ROWS_A_PAGE = 50;

// Ace writes its style sheets into <style> elements, which the page forbids: it gets constructed sheets instead.
const dom = ace.require("ace/lib/dom");
const makeElement = dom.createElement;
dom.createElement = (tag, namespace) => {
  if (tag !== "style") return makeElement(tag, namespace);
  const stand = makeElement("template");
  stand.appendChild = (text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text.data.replace(/url\(\s*["']?data:[^)]*\)/g, "none"));
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    return text;
  };
  return stand;
};

function editor(id, mode, label) {
  // useWorker comes before the mode, which would start a worker from a blob, and the page forbids that
  const made = ace.edit(id, { useWorker: false, mode: `ace/mode/${mode}`, fontSize: 14, showPrintMargin: false, tabSize: 4,
    enableBasicAutocompletion: true, enableLiveAutocompletion: mode === "sql", wrap: true });
  made.container.style.lineHeight = "1.5"; // by its own measure the lines cover one another's underscores
  made.renderer.updateFontSize();
  made.textInput.getElement().setAttribute("aria-label", label);
  made.textInput.getElement().setAttribute("aria-describedby", "keys");
  for (const key of ["Tab", "Shift-Tab"]) made.commands.bindKey(key, null); // Tab leads on, as everywhere
  made.commands.addCommand({ name: "run", bindKey: { win: "Ctrl-Enter", mac: "Command-Enter" }, exec: run });
  return made;
}

ace.require("ace/ext/language_tools");
const sql = editor("sql", "sql", "SQL");
const spec = editor("spec", "json", "Chart as Vega-Lite");
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => [sql, spec].forEach((each) => each.setTheme(`ace/theme/${dark.matches ? "tomorrow_night" : "textmate"}`));
dark.addEventListener("change", paint);
paint();

// --- asking ----------------------------------------------------------------------------------------------------------
let answer = { columns: [], rows: [] };
let page = 0;
let asked = 0;
let answered = ""; // what the rows answer; the editor may have moved on

async function call(path, options = {}) {
  const headers = options.body ? { "Content-Type": "application/json" } : {};
  const reply = await fetch(`${api}${path}`, { ...options, headers }).catch(() => null);
  if (!reply) throw { message: "The server did not answer.", hint: "Try again in a moment." };
  if (reply.status === 401) throw { message: "You are signed out.", hint: "Sign in in another tab; what is written here stays." };
  if (!reply.ok) throw (await reply.json().catch(() => ({}))).error ?? { message: `The server answered ${reply.status}.`, hint: "" };
  return reply;
}

function state(name, text) {
  at("outcome").dataset.state = name;
  at("outcome").textContent = text;
}

async function run() {
  const mine = ++asked;
  const text = sql.getValue();
  at("run").disabled = true;
  at("problem").hidden = true;
  sql.session.clearAnnotations();
  state("loading", "Asking…");
  try {
    const reply = await call("/query", { method: "POST", body: JSON.stringify({ sql: text }) });
    const body = JSON.parse(await reply.text(), exact);
    if (mine !== asked) return;
    answer = body;
    answered = text;
    page = 0;
    const count = answer.rows.length;
    state(count ? "loaded" : "empty", `${count.toLocaleString("en")} row${count === 1 ? "" : "s"} in ${Math.round(body.seconds * 1000)} ms, ${body.read_rows.toLocaleString("en")} rows read.`);
    at("downloads").hidden = false;
    at("answer").dataset.state = "loaded";
    showRows();
    showChart();
  } catch (problem) {
    if (mine !== asked) return;
    state("error", "That did not work.");
    tell(problem);
  } finally {
    at("run").disabled = false;
  }
}

// Whole numbers beyond what JavaScript holds keep their digits, as text.
function exact(_name, value, context) {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return /^-?\d+$/.test(context?.source) ? context.source : value;
}

function tell(problem) {
  const lines = [problem.message, problem.hint].filter(Boolean).map((text) => {
    const line = document.createElement("p");
    line.textContent = text;
    return line;
  });
  at("problem").replaceChildren(...lines);
  at("problem").hidden = false;
  if (problem.place) {
    const [row, column] = problem.place;
    sql.session.setAnnotations([{ row: row - 1, column: column - 1, text: problem.message, type: "error" }]);
    sql.gotoLine(row, column - 1);
  }
}

function showRows() {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const { name, type } of answer.columns) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    cell.title = type;
    if (/^(Nullable\()?(U?Int|Float|Decimal)/.test(type)) cell.className = "number";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of answer.rows.slice(page * ROWS_A_PAGE, (page + 1) * ROWS_A_PAGE)) {
    const line = body.insertRow();
    for (const value of row) {
      const cell = line.insertCell();
      cell.textContent = value === null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
      if (BYTES.test(cell.textContent)) bytes(cell);
      if (typeof value === "number") cell.className = "number";
    }
  }
  at("rows").replaceChildren(table);
  const pages = Math.max(1, Math.ceil(answer.rows.length / ROWS_A_PAGE));
  at("pages").hidden = pages === 1;
  at("page-note").textContent = `Page ${page + 1} of ${pages}`;
  at("previous").disabled = page === 0;
  at("next").disabled = page + 1 === pages;
}

// What is no text cannot be shown as such: hashes in FixedString columns.
const BYTES = /[\ufffd\0-\x08]/;

function bytes(cell) {
  cell.textContent = "bytes";
  cell.className = "none";
  cell.title = "Not a text. hex(…) of the column shows it.";
}

function turn(by) {
  page += by;
  showRows();
  at("rows").scrollTop = 0;
}

function note(text) {
  const line = document.createElement("p");
  line.className = "note";
  line.textContent = text;
  at("chart-place").replaceChildren(line);
}

// The columns that a chart draws from, where it makes none itself.
const MAKES_FIELDS = /"(transform|data|datasets)"\s*:/;

function fields(part) {
  if (typeof part !== "object" || part === null) return [];
  const own = typeof part.field === "string" ? [part.field.split(/[.[]/)[0].replaceAll("\\", "")] : [];
  return [...new Set([...own, ...Object.values(part).flatMap(fields)])];
}

function showChart() {
  const text = spec.getValue().trim();
  if (!text) return note("No chart is described.");
  if (!answer.rows.length) return note("Without rows there is nothing to draw.");
  let drawing;
  try {
    drawing = JSON.parse(text);
  } catch (error) {
    return note(`The description of the chart is no JSON: ${error.message}`);
  }
  if (typeof drawing !== "object" || drawing === null || Array.isArray(drawing)) return note("A chart is described by a JSON object.");
  const names = answer.columns.map((column) => column.name);
  const missing = MAKES_FIELDS.test(text) ? [] : fields(drawing).filter((field) => !names.includes(field));
  if (missing.length) return note(`The chart asks for ${missing.join(", ")}, which the rows do not have.`);
  drawing.data = { values: answer.rows.map((row) => Object.fromEntries(names.map((name, place) => [name, row[place]]))) };
  const data = document.createElement("script");
  data.type = "application/json";
  data.id = "custom-spec";
  data.textContent = JSON.stringify({ autosize: { type: "fit", contains: "padding" }, ...drawing });
  const place = document.createElement("div");
  Object.assign(place.dataset, { chart: "custom-spec", state: "loading" });
  place.className = "chart";
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", "Chart of the rows beside it");
  at("chart-place").replaceChildren(place, data);
  document.dispatchEvent(new CustomEvent("charts:arrived"));
}

document.addEventListener("charts:failed", (event) => note(`The chart could not be drawn: ${event.detail}`));
at("run").addEventListener("click", run);
at("previous").addEventListener("click", () => turn(-1));
at("next").addEventListener("click", () => turn(1));
at("downloads").addEventListener("click", async (event) => {
  const { format } = event.target.dataset;
  if (!format) return;
  try {
    const reply = await call("/query", { method: "POST", body: JSON.stringify({ sql: answered, format }) });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await reply.blob());
    link.download = `answer.${format}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (problem) {
    tell(problem);
  }
});

// --- names to complete and to read up ----------------------------------------------------------------------------------
function listed(table) {
  const head = document.createElement("h3");
  head.textContent = table.name;
  const about = document.createElement("p");
  about.className = "note";
  about.textContent = table.about;
  const names = document.createElement("ul");
  names.append(...table.columns.map(({ name, type }) => {
    const item = document.createElement("li");
    const code = document.createElement("code");
    code.textContent = name;
    item.append(code, ` ${type}`);
    return item;
  }));
  return [head, about, names];
}

fetch("/api/v1/tables").then((reply) => (reply.ok ? reply.json() : [])).then((tables) => {
  at("readable").replaceChildren(...tables.flatMap(listed));
  const words = tables.flatMap((table) => [
    { value: table.name, meta: "table", score: 1000 },
    ...table.columns.map((column) => ({ value: column.name, meta: `${table.name}, ${column.type}`, score: 900 })),
  ]);
  const known = new Set();
  const once = words.filter(({ value }) => !known.has(value) && known.add(value));
  sql.completers = [{ getCompletions: (_editor, _session, _place, _prefix, done) => done(null, once) }, ...sql.completers];
});

// --- examples and saved questions --------------------------------------------------------------------------------------
const examples = JSON.parse(at("examples").textContent);
let saved = [];

function put(question) {
  sql.setValue(question.sql, -1);
  spec.setValue(question.chart, -1);
  at("title").value = question.title;
}

at("example").addEventListener("change", ({ target }) => {
  if (target.value === "") return;
  at("saved").value = "";
  choose();
  put(examples[Number(target.value)]);
});

const chosen = () => saved.find((each) => String(each.id) === at("saved").value);
const mayChange = (question) => question && (question.owner === person || isAdmin === "yes");

function choose() {
  const question = chosen();
  at("remove").hidden = !mayChange(question);
  at("save-note").textContent = question ? `By ${question.owner}${question.is_shared ? ", shared" : ""}.` : "";
  if (!question) return;
  at("shared").checked = question.is_shared;
  put(question);
}

async function list(id = "") {
  saved = await (await call("/questions")).json();
  at("saved").replaceChildren(new Option(saved.length ? "none chosen" : "none yet", ""),
    ...saved.map((each) => new Option(`${each.title}${each.is_shared ? " (shared)" : ""}`, each.id)));
  at("saved").value = String(id);
}

async function act(what, button) {
  try {
    if (button) button.disabled = true; // a second click would do it twice
    await what();
    at("problem").hidden = true;
  } catch (problem) {
    tell(problem);
  } finally {
    if (button) button.disabled = false;
  }
}

at("saved").addEventListener("change", choose);
at("save").addEventListener("click", () => act(async () => {
  const title = at("title").value.trim();
  if (!title) throw { message: "A question needs a title to be saved.", hint: "" };
  const draft = { title, sql: sql.getValue(), chart: spec.getValue(), is_shared: at("shared").checked };
  const own = mayChange(chosen()); // what somebody else shared is saved as a copy
  const reply = await call(own ? `/questions/${at("saved").value}` : "/questions", { method: own ? "PUT" : "POST", body: JSON.stringify(draft) });
  await list((await reply.json()).id);
  choose();
  at("save-note").textContent = "Saved.";
}, at("save")));
at("remove").addEventListener("click", () => act(async () => {
  await call(`/questions/${at("saved").value}`, { method: "DELETE" });
  await list();
  choose();
  at("save-note").textContent = "Removed.";
}, at("remove")));

put(examples[0]);
at("title").value = "";
act(list);
