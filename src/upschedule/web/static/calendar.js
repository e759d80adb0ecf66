// Creates the calendar as soon as a document has been read, and copies its link.
import { announce } from "./announce.js";
import { send } from "./parts.js";

/** The documents for which the calendar was requested last. */
let made = "";

export function startCalendar() {
  document.addEventListener("click", copy);
  document.addEventListener("parts:new", prepare);
  prepare();
}

function prepare() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
  }
  const form = document.querySelector("form[data-make]");
  const pending = document.querySelector('#cards [data-status="queued"], #cards [data-status="processing"]');
  if (!form) {
    made = "";
  }
  // It is requested only once for the same documents. After a refusal, the button remains.
  if (form && !pending && form.dataset.make !== made) {
    made = form.dataset.make;
    send(form);
  }
}

async function copy(event) {
  const button = event.target.closest("[data-copy]");
  if (!button) {
    return;
  }
  const input = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(input.value);
    announce("The link is copied.");
    button.lastChild.textContent = " Copied";
  } catch {
    input.select();
    announce("Copy the selected link.");
  }
}
