// Shows the chosen groups and modules in the weeks at once; the server's answer replaces the result a moment later.
// The rules are those of grid.py, week.py and planning/groups.py. tests/browser/test_weeks_at_once.py compares both.

const MINUTES_PER_LINE = 5;
const LINES_PER_HOUR = 60 / MINUTES_PER_LINE;
const LANES_MAX = 2;
const USUAL_HOURS = [8, 17];

export function startWeeks() {
  document.addEventListener("change", ({ target }) => target.form?.matches(".modules") && show(target.form));
  document.addEventListener("parts:new", () => {
    const form = document.querySelector("form.modules");
    if (form && [...form.elements].some(differs)) {
      show(form);
    }
  });
}

/** Whether the person has chosen something else than the server rendered. */
function differs(field) {
  const was = field.dataset.was;
  return field.options ? groupOf(field).group !== was : field.name === "show" && field.checked !== (was !== undefined);
}

function show(form) {
  const isShown = shownBy(form);
  const grids = [...document.querySelectorAll(".week-grid[data-fewest-days]")].map(read);
  for (const { days } of grids) {
    for (const day of days) {
      day.shown = day.items.filter(({ slot }) => isShown(slot.dataset));
    }
  }
  const items = ({ days }) => days.flatMap(({ shown }) => shown);
  const typical = grids.filter(({ week }) => week);
  // Without any module or class there is no week, which only the server shows.
  if (!typical.length || !form.querySelector("[name=show]:checked")) {
    return;
  }
  const terms = new Set(typical.flatMap(items).map(({ slot }) => slot.dataset.term));
  if (terms.size > 1) {
    // The classes of every term are in the week of each one.
    terms.delete("");
  }
  const lectures = new Map(typical.flatMap(items).map(({ slot }) => [slot.dataset.entry, slot.dataset]));
  const open = undecided([...lectures.values()]);
  for (const grid of grids) {
    if (!grid.week) {
      markClashes(grid, open);
    } else {
      grid.week.hidden = !terms.has(grid.week.dataset.term);
    }
    place(grid);
  }
}

/** @returns {(entry: DOMStringMap) => boolean} what the form's fields show */
function shownBy(form) {
  const left = new Set([...form.querySelectorAll("[name=show]:not(:checked)")].map(({ value }) => value));
  const groups = new Map();
  for (const select of form.querySelectorAll("select")) {
    const { key, group } = groupOf(select);
    if (differs(select)) {
      groups.set(key, group);
    }
  }
  return (entry) => {
    if (entry.own !== undefined) {
      return true;
    }
    if (left.has(entry.module)) {
      return false;
    }
    const group = groups.get(`${entry.module}|${entry.group?.[0]}`);
    return group === undefined ? entry.left === undefined : !group || group === entry.group;
  };
}

function groupOf(select) {
  const end = select.value.lastIndexOf("|");
  return { key: select.value.slice(0, end), group: select.value.slice(end + 1) };
}

/** All seven days of a grid, with everything that can be shown on them. `week` is set for the week of a term. */
function read(grid) {
  const { content } = grid.querySelector(":scope > template");
  const days = [...content.children].map((spare) => {
    const section = grid.querySelector(`:scope > [data-day="${spare.dataset.day}"]`);
    const slots = [spare, section].flatMap((part) => (part ? [...part.querySelectorAll(".slot")] : []));
    return { spare, section, items: slots.map(itemOf).sort((one, other) => (one.order < other.order ? -1 : 1)) };
  });
  return { grid, days, week: grid.closest(".week") };
}

function itemOf(slot) {
  const { start, end, module, entry, assumed } = slot.dataset;
  const [from, until] = [start, end || start].map((clock) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3)));
  const to = assumed !== undefined && until < from ? 24 * 60 : Math.max(from, until);
  return { slot, from, to, order: [start, end, module, entry].join("\0") };
}

/** The ids of all classes between which there is still a choice, among these. */
function undecided(entries) {
  const parts = [];
  for (const entry of entries) {
    const kind = `${entry.module}|${entry.activity.toUpperCase() || "L"}`;
    const meets = (part) => part.kind === kind && (part.terms.has(entry.offered) || part.groups.has(entry.group));
    const joined = { kind, terms: new Set([entry.offered]), groups: new Set([entry.group]), entries: [entry] };
    for (const part of parts.filter(meets)) {
      parts.splice(parts.indexOf(part), 1);
      part.terms.forEach((term) => joined.terms.add(term));
      part.groups.forEach((group) => joined.groups.add(group));
      joined.entries.push(...part.entries);
    }
    parts.push(joined);
  }
  const isOpen = (part) => new Set(part.entries.map(({ group, language }) => `${group}|${language}`)).size > 1;
  return new Set(parts.filter(isOpen).flatMap((part) => part.entries.map(({ entry }) => entry)));
}

function markClashes({ days }, open) {
  const dismissed = new Set(document.getElementById("views").dataset.dismissed?.split(","));
  for (const { items, shown } of days) {
    const settled = shown.filter(({ slot }) => !open.has(slot.dataset.entry));
    const clashing = (one) => settled.some((other) => one !== other && clash(one, other, dismissed));
    for (const item of items) {
      mark(item.slot, settled.includes(item) && clashing(item));
    }
  }
}

function clash(one, other, dismissed) {
  const [first, second] = [one.slot.dataset, other.slot.dataset];
  const pair = [first.entry, second.entry].sort().join(" ");
  const alternatives =
    first.activity !== undefined &&
    first.activity === second.activity &&
    first.module === second.module &&
    first.group !== second.group;
  return one.from < other.to && other.from < one.to && !alternatives && !dismissed.has(pair);
}

function mark(slot, clashes) {
  const found = slot.querySelector(":scope > .clash");
  slot.classList.toggle("slot--clash", clashes);
  if (found && !clashes) {
    found.remove();
  } else if (clashes && !found) {
    const fresh = document.getElementById("clash-mark").content.firstElementChild.cloneNode(true);
    slot.insertBefore(fresh, slot.querySelector(":scope > .warning"));
  }
}

function place({ grid, days }) {
  const fewest = Number(grid.dataset.fewestDays);
  const wanted = days.filter(({ shown }, number) => number < fewest || shown.length);
  const [first, last] = hoursAround(wanted.flatMap(({ shown }) => shown));
  const lastLine = (last - first) * LINES_PER_HOUR + 1;
  grid.className = `week-grid days-${wanted.length}`;
  const title = grid.dataset.titles?.split("|")[wanted.length - fewest];
  if (title) {
    document.getElementById("week-title").textContent = title;
  }
  const hours = grid.querySelector(":scope > .hours");
  hours.className = `hours t${lastLine}`;
  hours.replaceChildren(...Array.from({ length: last - first }, (_, number) => hourMark(first, number)));
  let after = hours;
  for (const day of days) {
    const shown = new Set(day.shown.map(({ slot }) => slot));
    const list = day.spare.querySelector(".slots");
    list.append(...day.items.map(({ slot }) => slot).filter((slot) => !shown.has(slot) && !list.contains(slot)));
    if (wanted.includes(day)) {
      day.section ??= emptyCopy(day.spare);
      if (day.section.previousElementSibling !== after) {
        after.after(day.section);
      }
      after = day.section;
      fill(day, first * 60, lastLine);
    } else {
      day.section?.remove();
    }
  }
}

function hourMark(first, number) {
  const textContent = `${String(first + number).padStart(2, "0")}:00`;
  return Object.assign(document.createElement("li"), { className: `f${number * LINES_PER_HOUR + 1}`, textContent });
}

function hoursAround(items) {
  if (!items.length) {
    return USUAL_HOURS;
  }
  const first = Math.floor(Math.min(...items.map(({ from }) => from)) / 60);
  return [first, Math.max(Math.ceil(Math.max(...items.map(({ to }) => to)) / 60), first + 1)];
}

function emptyCopy(spare) {
  const copy = document.importNode(spare, true);
  copy.querySelector(".slots").replaceChildren();
  return copy;
}

function fill({ section, shown }, firstMinute, lastLine) {
  const note = section.querySelector(".day-note");
  const today = section.querySelector(".tag--today");
  const classes = ["day", `t${lastLine}`];
  if (!shown.length && !note && !today) {
    classes.push("day--free");
  }
  if (today) {
    classes.push("day--today");
  }
  if (note && !shown.length) {
    classes.push("day--off");
  }
  section.className = classes.join(" ");
  const blocks = clusters(shown).flatMap((cluster) => blocksOf(cluster, firstMinute));
  replace(section.querySelector(".slots"), blocks);
}

/** Runs of items that overlap, one with another. */
function clusters(items) {
  const found = [];
  let latest = -1;
  for (const item of items) {
    if (item.from < latest) {
      found.at(-1).push(item);
    } else {
      found.push([item]);
    }
    latest = Math.max(found.at(-1).length > 1 ? latest : 0, item.to);
  }
  return found;
}

function blocksOf(cluster, firstMinute) {
  const ends = [];
  const lanes = cluster.map(({ from, to }) => {
    const free = ends.findIndex((end) => end <= from);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = to;
    return lane;
  });
  if (ends.length > LANES_MAX) {
    return [stackOf(cluster.map(({ slot }) => dress(slot, "")), `stack ${lines(cluster, firstMinute)}`)];
  }
  const half = (lane) => (ends.length > 1 ? ` half-${lane + 1}` : "");
  return cluster.map((item, number) => dress(item.slot, lines([item], firstMinute) + half(lanes[number])));
}

/** The one that the first of them is in, if there is one: what stays where it is costs the browser least. */
function stackOf(slots, className) {
  const stack = slots[0].closest(".stack") ?? document.createElement("li");
  const list = stack.firstElementChild ?? stack.appendChild(document.createElement("ol"));
  stack.className = className;
  replace(list, slots);
  return stack;
}

function replace(list, children) {
  for (const child of [...list.children].filter((old) => !children.includes(old))) {
    child.remove();
  }
  children.forEach((child, number) => {
    if (list.children[number] !== child) {
      list.insertBefore(child, list.children[number] ?? null);
    }
  });
}

function lines(items, firstMinute) {
  const { from } = items[0];
  const start = Math.floor((from - firstMinute) / MINUTES_PER_LINE) + 1;
  const count = Math.ceil((Math.max(...items.map(({ to }) => to)) - from) / MINUTES_PER_LINE);
  return `f${start} t${start + Math.max(count, 1)}`;
}

function dress(slot, where) {
  const colour = [...slot.classList].find((name) => name.startsWith("hue-"));
  const names = ["slot", colour, where, slot.classList.contains("slot--clash") ? "slot--clash" : ""];
  const className = names.filter(Boolean).join(" ");
  if (slot.className !== className) {
    slot.className = className;
  }
  return slot;
}
