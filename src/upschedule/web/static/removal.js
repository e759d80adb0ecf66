// A document leaves the page at once, and the server only when it is too late to undo it.
import { request } from "./parts.js";

const UNDO_MS = 10_000;

/** @type {{ form: HTMLFormElement, card: HTMLElement, timer: number } | null} */
let removal = null;
/** @type {Promise<void> | null} */
let finishing = null;

export function startRemoval() {
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-remove]")) {
      event.preventDefault();
      remove(event.target);
    }
  });
  bar().querySelector("button").addEventListener("click", undo);
  document.addEventListener("parts:new", hideRemoved);
  addEventListener("pagehide", () => removal && navigator.sendBeacon(removal.form.action, sure()));
}

/** Before anything that must not meet a document which is about to leave. */
export function finishRemoval() {
  finishing ??= finish().finally(() => {
    finishing = null;
  });
  return finishing;
}

async function finish() {
  if (removal) {
    const { form, timer } = removal;
    clearTimeout(timer);
    // A button that is disabled loses the focus.
    const hadFocus = bar().contains(document.activeElement);
    bar().querySelector("button").disabled = true;
    await request(form.action, { method: "POST", body: sure() });
    removal = null;
    bar().hidden = true;
    if (hadFocus) {
      const next = document.querySelector("#cards [data-remove] button") ?? document.getElementById("file");
      next.focus({ preventScroll: true });
    }
  }
}

async function remove(form) {
  await finishRemoval();
  const card = form.closest("li");
  removal = { form, card, timer: setTimeout(finishRemoval, UNDO_MS) };
  card.remove();
  bar().hidden = false;
  bar().querySelector("button").disabled = false;
  bar().querySelector("[role=status]").textContent = `${form.dataset.remove} is removed.`;
  bar().querySelector("button").focus();
}

async function undo() {
  const { card, timer } = removal;
  clearTimeout(timer);
  removal = null;
  await request(location.pathname + location.search, {});
  const back = document.getElementById(card.id)?.querySelector("[data-remove] button");
  bar().querySelector("[role=status]").textContent = "";
  (back ?? document.getElementById("file")).focus();
  bar().hidden = true;
}

function hideRemoved() {
  document.getElementById(removal?.card.id)?.remove();
}

const bar = () => document.getElementById("undo");

const sure = () => new URLSearchParams({ sure: "yes" });
