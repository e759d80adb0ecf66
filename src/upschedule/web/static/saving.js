// Saves the changes of a form soon after they are made. No change is lost when the page is left before it is saved.
import { isChanged, known, request, send } from "./parts.js";

const SAVE_AFTER_MS = 250;

/**
 * The state of each form, by its action, because every save replaces the form. `changed`: a change is not sent yet;
 * `saving`: the saves in progress; `body`: the values that were sent last; `failed`: they were not saved.
 * @type {Map<string, { changed: boolean, failed: boolean, timer: number, saving: Promise<void> | null, body: URLSearchParams | null }>}
 */
const states = new Map();

export function startSaving() {
  document.addEventListener("change", ({ target }) => target.form?.matches("[data-auto]") && change(target.form));
  document.addEventListener("submit", submit, { capture: true });
  document.addEventListener("click", saveBeforeFollowing, { capture: true });
  document.addEventListener("parts:new", mark);
  document.addEventListener("visibilitychange", () => document.hidden && sendWhileLeaving());
  addEventListener("pagehide", sendWhileLeaving);
  addEventListener("online", saveAgain);
}

function change(form) {
  const action = form.getAttribute("action");
  const state = states.get(action) ?? { failed: false, timer: 0, saving: null, body: null };
  states.set(action, state);
  state.changed = true;
  clearTimeout(state.timer);
  state.timer = setTimeout(() => save(action), SAVE_AFTER_MS);
}

/** Handles the button of such a form, which is shown if its changes could not be saved. */
function submit(event) {
  if (event.target.matches("[data-auto]")) {
    event.preventDefault();
    event.stopImmediatePropagation();
    change(event.target);
    save(event.target.getAttribute("action"));
  }
}

/** Saves until all changes of the form are saved, or one is refused. */
function save(action) {
  const state = states.get(action);
  clearTimeout(state.timer);
  state.saving ??= saveAll(action, state).finally(() => {
    state.saving = null;
  });
  return state.saving;
}

async function saveAll(action, state) {
  while (state.changed) {
    const form = formOf(action);
    state.changed = false;
    if (!form) {
      return;
    }
    state.body = new URLSearchParams(new FormData(form));
    const before = fieldsOf(form).map((field) => [field.id, known(field)]);
    const answered = send(form);
    expect(form, state.body.getAll("group"), state.body.getAll("show"));
    const saved = await answered;
    if (!saved && form.isConnected) {
      // This form still shows the values that were not saved. A form that replaced it shows the server's values.
      expect(form, state.body.getAll("chosen"), state.body.getAll("shown"), before);
    }
    state.failed = !saved && isDifferent(action);
    mark();
    if (!saved) {
      return;
    }
  }
}

/**
 * Notes which values the server should have now, so that the next save is no conflict: those of the form, or `before`.
 */
function expect(form, groups, modules, before) {
  if (!form) {
    return;
  }
  for (const field of fieldsOf(form)) {
    setKnown(field, before ? new Map(before).get(field.id) : field.options ? field.value : field.checked);
  }
  for (const old of form.querySelectorAll("[name=shown]")) {
    old.remove();
  }
  const fields = [...groups.map((value) => ["chosen", value]), ...modules.map((value) => ["shown", value])];
  for (const [name, value] of fields) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
}

/** Sets the known value of a field and keeps the value that it shows. */
function setKnown(field, value) {
  if (field.options) {
    const chosen = field.value;
    for (const option of field.options) {
      option.defaultSelected = option.value === value;
    }
    field.value = chosen;
  } else {
    const { checked } = field;
    field.defaultChecked = value;
    field.checked = checked;
  }
}

/** Sends unsaved changes. They may reach the server twice or out of order, so it accepts all values that the form expected. */
function sendWhileLeaving() {
  for (const [action, state] of states) {
    const form = formOf(action);
    if (state.saving) {
      sendAnyway(action, state.body);
    }
    if (state.changed && form) {
      clearTimeout(state.timer);
      const body = new URLSearchParams(new FormData(form));
      sendAnyway(action, body);
      expect(form, body.getAll("group"), body.getAll("show"));
      // A page that is only hidden requests the result when the person returns to it.
      state.changed = false;
      addEventListener("pageshow", renew, { once: true });
      document.addEventListener("visibilitychange", renew, { once: true });
    }
  }
}

function sendAnyway(action, body) {
  fetch(action, { method: "POST", body, keepalive: true, headers: { Accept: "text/html" } }).catch(() => {});
}

async function renew() {
  await request(location.pathname + location.search, {});
  for (const [action, state] of states) {
    state.failed = !state.changed && !state.saving && isDifferent(action);
  }
  mark();
}

/** Saves before a link is followed, so that a file, a feed or another page does not show the state before the change. */
async function saveBeforeFollowing(event) {
  const link = event.target.closest?.("a[href]");
  const waiting = [...states].filter(([, state]) => state.changed || state.saving).map(([action]) => action);
  if (!link || !waiting.length || link.matches("[data-go]") || link.getAttribute("href").startsWith("#")) {
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  await Promise.all(waiting.map(save));
  if (!waiting.some((action) => states.get(action).failed)) {
    const { ctrlKey, metaKey, shiftKey } = event;
    const fresh = document.getElementById(link.id) ?? link;
    fresh.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }));
  }
}

function saveAgain() {
  for (const [action, state] of states) {
    if (state.failed) {
      state.changed = true;
      save(action);
    }
  }
}

/** Shows in each form whether its last change is saved. */
function mark() {
  for (const [action, state] of states) {
    formOf(action)?.toggleAttribute("data-unsaved", state.failed);
  }
}

const fieldsOf = (form) => [...form.querySelectorAll("select[id], input[type=checkbox][id]")];

const isDifferent = (action) => fieldsOf(formOf(action) ?? document.createElement("form")).some(isChanged);

const formOf = (action) => document.querySelector(`form[data-auto][action="${CSS.escape(action)}"]`);
