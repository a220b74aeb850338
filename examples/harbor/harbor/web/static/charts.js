// Tiles drawn from their figures: SVG made node by node, tables for what is read row by row.

import { h, svg } from "./dom.js";
import { day, money, percent } from "./figures.js";
import { count, empty } from "./parts.js";

const W = 480;
const H = 190;
const PAD = { left: 34, right: 10, top: 12, bottom: 24 };
const DAY_MS = 86_400_000;

const nothing = () => empty("Nothing in this span", "The data hold no such event in the time of this tile.");

const frame = (label, height, ...children) =>
  svg("svg", { class: "chart", viewBox: `0 0 ${W} ${height}`, role: "img", "aria-label": label },
    children);

const text = (x, y, what, more = {}) => svg("text", { x, y, ...more }, what);

// A round number at or above the highest value, so that the axis reads well.
function ceiling(most) {
  const step = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 2, 4, 5, 10].map((each) => each * step).find((each) => each >= most);
}

// The API leaves out days without users.
function everyDay(data) {
  const users = new Map(data.map((each) => [each.day, each.users]));
  const first = Date.parse(data[0].day);
  const days = (Date.parse(data.at(-1).day) - first) / DAY_MS;
  return Array.from({ length: days + 1 }, (_none, place) => {
    const stamp = new Date(first + place * DAY_MS).toISOString().slice(0, 10);
    return { day: stamp, users: users.get(stamp) ?? 0 };
  });
}

function axis(top) {
  return [0, 0.5, 1].filter((part) => Number.isInteger(part * top)).map((part) => {
    const y = H - PAD.bottom - part * (H - PAD.top - PAD.bottom);
    return [svg("line", { class: "grid-line", x1: PAD.left, x2: W - PAD.right, y1: y, y2: y }),
      text(PAD.left - 6, y + 4, count(part * top), { "text-anchor": "end" })];
  });
}

function line(title, data) {
  const days = everyDay(data);
  const top = ceiling(Math.max(...days.map((each) => each.users)));
  const wide = (W - PAD.left - PAD.right) / Math.max(days.length - 1, 1);
  const high = H - PAD.top - PAD.bottom;
  const points = days.map((each, place) =>
    [PAD.left + place * wide, H - PAD.bottom - (each.users / top) * high]);
  const path = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  const floor = H - PAD.bottom;
  const dots = points.map(([cx, cy], place) => svg("circle", { class: "dot", cx, cy, r: 2.5 },
    svg("title", {}, `${day(days[place].day)}: ${days[place].users}`)));
  return frame(`${title}: ${days.length} days, at most ${top}`, H, axis(top),
    svg("polygon", { class: "under", points: `${PAD.left},${floor} ${path} ${points.at(-1)[0]},${floor}` }),
    svg("polyline", { class: "line", points: path }), dots,
    text(PAD.left, H - 6, day(days[0].day)),
    text(W - PAD.right, H - 6, day(days.at(-1).day), { "text-anchor": "end" }));
}

function bars(title, rows) {
  const most = Math.max(...rows.map((each) => each.value), 1);
  const height = rows.length * 38 + 4;
  return frame(title, height, rows.map((each, place) => {
    const y = place * 38 + 22;
    const wide = Math.max((each.value / most) * W, 2);
    return [text(0, y - 6, each.label),
      text(W, y - 6, each.said ?? count(each.value), { class: "value", "text-anchor": "end" }),
      svg("rect", { class: "track", x: 0, y, width: W, height: 9, rx: 4 }),
      svg("rect", { class: "bar", x: 0, y, width: wide, height: 9, rx: 4 })];
  }));
}

function funnel(title, data) {
  const whole = data[0]?.users ?? 0;
  return bars(title, data.map((each, place) => ({ label: `${place + 1}. ${each.step}`,
    value: each.users, said: `${count(each.users)} · ${percent(each.users, whole)}` })));
}

const heat = (share) => (share > 0 ? `heat heat-${Math.min(4, Math.ceil(share * 4))}` : "heat");

function cohort(data) {
  const weeks = Math.max(...data.map((each) => each.weeks.length));
  const heads = ["Week of", "Users", ...Array.from({ length: weeks }, (_none, n) => `W${n}`)];
  return h("div", { class: "scroll tall" }, h("table", { class: "cohort" },
    h("thead", {}, h("tr", {}, heads.map((each) => h("th", { scope: "col" }, each)))),
    h("tbody", {}, data.map((each) => h("tr", { class: each.small ? "small-cohort" : null,
      title: each.small ? "Fewer than 5 users" : null },
    h("td", {}, day(each.cohort)),
    h("td", {}, count(each.users)),
    each.weeks.map((n) => h("td", { class: heat(n / each.users) },
      percent(n, each.users))))))));
}

function listed(data) {
  const names = Object.keys(data[0]);
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, data.map((each) => h("tr", {}, names.map((name) =>
      h("td", {}, typeof each[name] === "number" ? count(each[name])
        : String(each[name]))))))));
}

const SERIES = {
  line: (title, data) => (data[0].day ? line(title, data) : bars(title, labelled(data))),
  bar: (title, data) => bars(title, labelled(data)),
  funnel,
  cohort: (_title, data) => cohort(data),
  table: (_title, data) => listed(data),
};

const labelled = (data) => data.map((each) => (each.day
  ? { label: day(each.day), value: each.users } : { label: each.event, value: each.count }));

// What a tile shows; a tile whose kind does not fit its figures is shown as a table.
export function drawing(tile, query) {
  const { data, kind, title } = tile;
  if (typeof data === "number") {
    return h("p", { class: "big" }, query === "mrr" ? money(data) : count(data));
  }
  if (typeof data === "string") return h("p", {}, data);
  if (!Array.isArray(data) || data.length === 0) return nothing();
  if (data[0].weeks) return cohort(data);
  if (data[0].step) return funnel(title, data);
  return (SERIES[kind] ?? SERIES.table)(title, data);
}
