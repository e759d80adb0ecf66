// Expands calendar files as programs in JavaScript do. Each line of the input is a file as a JSON string; the answer is a
// line of JSON: for each library, the starts of each UID as wall-clock times in South Africa, which is always at +02:00.
import readline from "node:readline";
import ICAL from "ical.js";
import ical from "node-ical";

const SOUTH_AFRICA_MS = 2 * 3600 * 1000;
const FROM = new Date("2000-01-01T00:00:00Z");
const TO = new Date("2101-01-01T00:00:00Z");

function byIcalJs(text) {
  const calendar = new ICAL.Component(ICAL.parse(text));
  for (const zone of calendar.getAllSubcomponents("vtimezone")) {
    ICAL.TimezoneService.register(zone);
  }
  const found = {};
  for (const component of calendar.getAllSubcomponents("vevent")) {
    const event = new ICAL.Event(component);
    const starts = [];
    if (event.isRecurring()) {
      const occurrences = event.iterator();
      for (let start = occurrences.next(); start; start = occurrences.next()) {
        starts.push(wallClock(start.toJSDate()));
      }
    } else {
      starts.push(wallClock(event.startDate.toJSDate()));
    }
    found[event.uid] = starts.sort();
  }
  return found;
}

function byNodeIcal(text) {
  const found = {};
  for (const event of Object.values(ical.sync.parseICS(text))) {
    if (event.type === "VEVENT") {
      const starts = event.rrule
        ? ical.expandRecurringEvent(event, { from: FROM, to: TO }).map((each) => each.start)
        : [event.start];
      found[event.uid] = starts.map(wallClock).sort();
    }
  }
  return found;
}

function wallClock(date) {
  return new Date(date.getTime() + SOUTH_AFRICA_MS).toISOString().slice(0, 19);
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const text = JSON.parse(line);
  const answer = { "ical.js": byIcalJs(text), "node-ical": byNodeIcal(text) };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
