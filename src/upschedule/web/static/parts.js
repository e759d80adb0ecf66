// Replaces parts of the page: fetches the page again, and puts its parts in the place of the old ones.
import { announce, complain } from "./announce.js";
import { carryLocal } from "./cards.js";
import { OFFLINE, sentence } from "./problem.js";

const TIMEOUT_MS = 30_000;
const GONE = 401;
const CHANGED = 412;

/** Requests are sent one after the other, so that an older answer never replaces a newer one. */
let tail = Promise.resolve();

export function startParts() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-enhance]")) {
      event.preventDefault();
      send(form, event.submitter);
    }
  });
  document.addEventListener("click", go);
  document.addEventListener("change", ({ target }) => target.name === "view" && keepView(target));
}

/** The week and the view that the address names are kept. */
export function refresh() {
  return request(location.pathname + location.search, {});
}

/** Another week or a later page of the agenda, in place of the one that is shown. */
async function go(event) {
  const link = event.target.closest("a[data-go]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) {
    return;
  }
  event.preventDefault();
  const url = new URL(link.href);
  if (await request(url.pathname + url.search, {})) {
    history.replaceState(null, "", url.pathname + url.search);
    const title = document.getElementById("week-title");
    if (title?.checkVisibility()) {
      announce(title.textContent);
      if (!document.getElementById(link.id)) {
        title.focus();
      }
    }
  }
}

/** The chosen view is found again when the page is loaded again. */
function keepView(input) {
  const url = new URL(location.href);
  url.searchParams.set("view", input.value);
  history.replaceState(null, "", url.pathname + url.search);
}

/** @param {HTMLFormElement} form @param {HTMLElement | null} [submitter] @returns {Promise<boolean>} whether it was saved */
export async function send(form, submitter) {
  const body = new URLSearchParams(new FormData(form));
  if (submitter?.name) {
    body.append(submitter.name, submitter.value);
  }
  if (!form.matches("[data-auto]")) {
    form.dataset.sent = "yes";
  }
  submitter?.setAttribute("aria-disabled", "true");
  const done = await request(form.action, { method: "POST", body });
  submitter?.removeAttribute("aria-disabled");
  const said = document.getElementById(form.dataset.saidBy);
  if (done && said) {
    announce(said.textContent);
  }
  if (done && form.dataset.done) {
    announce(form.dataset.done);
    // The form is gone with its question: what took its place is read next.
    document.getElementById(form.dataset.focus)?.focus();
  }
  return done;
}

/** @returns {Promise<boolean>} whether the parts are new */
export function request(url, options) {
  const next = tail.then(() => exchange(url, options));
  tail = next.catch(() => {});
  return next;
}

async function exchange(url, options) {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { ...options, signal, headers: { Accept: "text/html" } });
    const text = await response.text();
    if (response.status === GONE) {
      // The page is loaded again, and says why.
      location.assign("/");
      return false;
    }
    if (!response.ok) {
      complain(sentence(response.headers.get("Content-Type") ?? "", text));
      showRefused(text);
      if (response.status === CHANGED) {
        // The calendar was changed in another tab: the page shows old data, and the server refused the choice.
        for (const form of document.querySelectorAll("[data-auto]")) {
          form.dataset.sent = "yes";
        }
        await renew();
      }
      return false;
    }
    complain("");
    swap(new DOMParser().parseFromString(text, "text/html"));
    return true;
  } catch {
    complain(OFFLINE);
    return false;
  }
}

async function renew() {
  const response = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
  if (response.ok) {
    swap(new DOMParser().parseFromString(await response.text(), "text/html"));
  }
}

/** Shows a refused form, which has its errors beside the fields. @param {string} text the page */
function showRefused(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  if (page.querySelector("[aria-invalid]")) {
    swap(page);
    document.querySelector("[aria-invalid]").focus();
  }
}

/** @param {Document} page */
function swap(page) {
  const focused = document.activeElement?.id;
  for (const old of document.querySelectorAll("[data-part]")) {
    const fresh = page.getElementById(old.id);
    // A new notice at the top would push the page down while a person reads it.
    const wouldPush = old.hasAttribute("data-lasting") && !old.childElementCount;
    if (fresh && !wouldPush) {
      carry(old, fresh);
      old.replaceWith(document.adoptNode(fresh));
    }
  }
  if (focused && document.activeElement === document.body) {
    (document.getElementById(focused) ?? document.getElementById("main")).focus({ preventScroll: true });
  }
  document.dispatchEvent(new CustomEvent("parts:new"));
}

/** Whether a checkbox or a selection differs from the last known value on the server. @param {any} field */
export function isChanged(field) {
  return field.options ? field.value !== known(field) : field.type === "checkbox" && field.checked !== known(field);
}

/** The last value that the server sent or received. @param {any} field a checkbox or a selection @returns {string | boolean} */
export function known(field) {
  const first = (options) => (options.find((option) => option.defaultSelected) ?? options[0])?.value;
  return field.options ? first([...field.options]) : field.defaultChecked;
}

/** Copies what a person has typed, chosen or opened, and what exists only in this browser, to the new part. */
function carry(old, fresh) {
  for (const input of old.querySelectorAll("input[id]")) {
    const twin = fresh.querySelector(`#${CSS.escape(input.id)}`);
    const unsent = twin && input.form?.dataset.sent !== "yes";
    if (unsent && input.type === "date" && input.value !== input.defaultValue) {
      twin.value = input.value;
    } else if (unsent && input.type === "checkbox" && isChanged(input)) {
      twin.checked = input.checked;
    } else if (twin && input.name === "view" && input.checked && !input.defaultChecked) {
      twin.checked = true;
    }
  }
  for (const select of old.querySelectorAll("[data-auto]:not([data-sent]) select[id]")) {
    const twin = fresh.querySelector(`#${CSS.escape(select.id)}`);
    const chosen = [...(twin?.options ?? [])].find((option) => option.value === select.value);
    if (chosen && isChanged(select)) {
      chosen.selected = true;
    }
  }
  for (const details of old.querySelectorAll("details[id][open]")) {
    fresh.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute("open", "");
  }
  if (fresh.id === "documents") {
    carryLocal(old, fresh);
  }
}
