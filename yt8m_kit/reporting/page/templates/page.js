// Sorts the score table, and draws the charts of the members that are switched on.
const {members, charts, specs} = JSON.parse(document.getElementById("data").textContent);

// At least 3:1 against both backgrounds of the style.
const COLORS = ["#3d84c6", "#d9691e", "#2f9655", "#d6485a", "#8f6bc7", "#a0704f", "#cf569b", "#178f96", "#878718", "#7a7f87"];
const DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]];
const color = index => COLORS[index % COLORS.length];
const dash = index => DASHES[Math.floor(index / COLORS.length) % DASHES.length];

// Scales that specifications name by a word.
const SCALES = {
  members: {domain: members, range: members.map((_, index) => color(index))},
  dashes: {domain: members, range: members.map((_, index) => dash(index))},
  colors: {range: COLORS},
};
const ERRORS = 1; // Vega's level; it warns of charts whose members are all switched off
const INK = "currentColor";
const CONFIG = {
  background: null,
  font: "system-ui, 'DejaVu Sans', sans-serif",
  view: {stroke: null},
  axis: {labelColor: INK, titleColor: INK, domainColor: INK, domainOpacity: 0.4, tickColor: INK, tickOpacity: 0.4, gridColor: INK,
    gridOpacity: 0.13, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 150, labelOverlap: "greedy"},
  legend: {labelColor: INK, titleColor: INK, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", orient: "bottom",
    symbolStrokeWidth: 2, labelLimit: 200},
  text: {color: INK},
};

function rowsOf(columns) {
  const names = Object.keys(columns);
  return columns[names[0]].map((_, row) => Object.fromEntries(names.map(name => [name, columns[name][row]])));
}

function specification(name, rows, width) {
  const spec = JSON.parse(JSON.stringify(specs[name]), (key, value) =>
    key === "scale" && typeof value === "string" ? SCALES[value] : value);
  // Published scores of another data set would stretch the axis: they are shown on request.
  for (const parameter of spec.params ?? []) parameter.value = rows.some(row => row.comparable);
  return {height: heightOf(spec.usermeta, rows), ...spec, width: "container", config: configuration(width), datasets: {rows}};
}

// Legends have as many columns as fit into a chart's width in pixels.
function configuration(width) {
  return {...CONFIG, legend: {...CONFIG.legend, columns: Math.max(1, Math.floor((width - 60) / 200))}};
}

// Of charts with a bar or cell for each row of a kind: `row` names the fields that tell them apart.
function heightOf(meta, rows) {
  if (!meta) return undefined;
  return meta.rowHeight * new Set(rows.map(row => meta.row.map(field => row[field]).join("\n"))).size;
}

const shown = () => new Set([...document.querySelectorAll("#members input:checked")].map(box => box.value));
const visible = (rows, names) => rows.filter(row =>
  (!members.includes(row.member) || names.has(row.member)) && (!members.includes(row.other) || names.has(row.other)));

const drawn = [];
async function draw(figure) {
  const rows = rowsOf(charts[figure.dataset.rows]);
  const plot = figure.querySelector(".plot");
  const spec = specification(figure.dataset.chart, rows, plot.clientWidth);
  const options = {actions: false, renderer: "svg", logLevel: ERRORS};
  const {view} = await vegaEmbed(plot, spec, options);
  drawn.push({view, rows});
}

async function update() {
  const names = shown();
  for (const {view, rows} of drawn) await view.data("rows", visible(rows, names)).runAsync();
}

function swatches() {
  document.querySelectorAll("#members label").forEach((label, index) => {
    const line = label.querySelector("line");
    line.setAttribute("stroke", color(index));
    line.setAttribute("stroke-dasharray", dash(index).join(" "));
  });
}

function choices() {
  const form = document.getElementById("members");
  if (!form) return;
  swatches();
  form.addEventListener("change", update);
  form.querySelectorAll("button").forEach(button => button.addEventListener("click", () => {
    form.querySelectorAll("input").forEach(box => { box.checked = button.dataset.show === "all"; });
    update();
  }));
}

// Empty cells stay at the end in both directions.
function compare(a, b, isText, direction) {
  if (a === "" || b === "") return (a === "") - (b === "");
  return direction * (isText ? a.localeCompare(b) : a - b);
}

function sortable(table) {
  const titles = [...table.tHead.rows[0].cells];
  titles.forEach((title, place) => title.querySelector("button").addEventListener("click", () => {
    const isText = !title.classList.contains("number");
    const before = title.getAttribute("aria-sort");
    const order = before ? (before === "ascending" ? "descending" : "ascending") : (isText ? "ascending" : "descending");
    titles.forEach(each => each.removeAttribute("aria-sort"));
    title.setAttribute("aria-sort", order);
    const body = table.tBodies[0], value = row => row.cells[place].dataset.value;
    const direction = order === "ascending" ? 1 : -1;
    body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b), isText, direction)));
  }));
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === "DETAILS") target.open = true;
}

document.querySelectorAll("table.sortable").forEach(sortable);
choices();
addEventListener("hashchange", openTarget);
openTarget();
for (const figure of document.querySelectorAll("figure.chart")) await draw(figure);
document.documentElement.dataset.drawn = drawn.length;
