// Removes a document from the page immediately, and from the server after the time in which the removal can be undone.
import { refresh, request } from "./parts.js";

const UNDO_MS = 10_000;
const TIMEOUT_MS = 30_000;
/** The key under which this tab stores the removal that it sent while it left the page. */
const SENT_WHILE_LEAVING = "removal";

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
  addEventListener("pagehide", sendWhileLeaving);
  finishing = repeatLateRemoval().finally(() => {
    finishing = null;
  });
}

/** Sends a removal that waits. Call this before a request whose result would depend on the removed document. */
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

function sendWhileLeaving() {
  if (removal) {
    const { form, timer } = removal;
    clearTimeout(timer);
    sessionStorage.setItem(SENT_WHILE_LEAVING, form.getAttribute("action"));
    navigator.sendBeacon(form.action, sure());
    // The browser may show this very page again when the user goes back; it is too late to undo then.
    removal = null;
    bar().hidden = true;
  }
}

/** Repeats a removal that was sent while the page was left: it may have been lost, or may arrive after the next page. */
async function repeatLateRemoval() {
  const action = sessionStorage.getItem(SENT_WHILE_LEAVING);
  sessionStorage.removeItem(SENT_WHILE_LEAVING);
  const form = action && document.querySelector(`form[action="${CSS.escape(action)}"]`);
  if (form) {
    const card = form.closest("li");
    removal = { form, card, timer: 0 };
    card.remove();
    // Not found is a success here: the first message arrived in the meantime.
    await fetch(form.action, { method: "POST", body: sure(), signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => {});
    removal = null;
    await refresh();
  }
}

function hideRemoved() {
  document.getElementById(removal?.card.id)?.remove();
}

const bar = () => document.getElementById("undo");

const sure = () => new URLSearchParams({ sure: "yes" });
