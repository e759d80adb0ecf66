// Uploads files that were chosen or dropped, and shows their progress until they have been read.
import { announce, fill, tell } from "./announce.js";
import { addCard, showCard, showRefused, showSendingAgain, showStatus, showUploading } from "./cards.js";
import { follow } from "./follow.js";
import { refresh } from "./parts.js";
import { finishRemoval } from "./removal.js";
import { upload } from "./upload.js";

// The pauses are 1, 2, 4, 8 and 16 s: long enough to replace an instance, and short enough for a person who waits.
const AGAIN_MAX = 5;
const AGAIN_MS_FIRST = 1_000;

/** Jobs whose status a function is already waiting for. */
const followed = new Set();

export function startDocuments() {
  const form = document.getElementById("upload");
  const input = form.elements.file;
  input.multiple = true;
  const takeChosen = () => {
    take(form, [...input.files]);
    input.value = "";
  };
  input.addEventListener("change", takeChosen);
  // Files may have been chosen before this script was loaded.
  takeChosen();
  acceptDrops(form);
  followPending();
  document.addEventListener("parts:new", followPending);
}

function acceptDrops(form) {
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const mark = () => form.classList.toggle("upload--over", depth > 0);
  addEventListener("dragenter", (event) => {
    depth += isFiles(event) ? 1 : 0;
    mark();
  });
  addEventListener("dragleave", (event) => {
    depth -= isFiles(event) ? 1 : 0;
    mark();
  });
  // The whole window accepts files: otherwise the browser would open a file that is dropped beside the zone.
  addEventListener("dragover", (event) => isFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (isFiles(event)) {
      event.preventDefault();
      depth = 0;
      mark();
      take(form, [...event.dataTransfer.files]);
    }
  });
}

/** Sends these files. @param {HTMLFormElement} form @param {File[]} files */
export async function take(form, files) {
  // A removal that is not sent yet comes first: the new file may be a newer version of the document that is removed.
  await finishRemoval();
  for (const file of files) {
    const card = addCard(file);
    if (file.size > Number(form.dataset.sizeMax)) {
      refuse(file, card, { message: form.dataset.tooLarge, inFile: true });
      continue;
    }
    const attempt = () => deliver(form, file, card);
    card.querySelector('[data-action="retry"]').addEventListener("click", attempt);
    attempt();
  }
}

async function deliver(form, file, card) {
  const stop = new AbortController();
  onRemove(card, () => stop.abort());
  showUploading(card, 0);
  const before = new Set([...document.querySelectorAll("[data-job]")].map((other) => other.dataset.job));
  try {
    const job = await sendAgainWhileBroken(form, file, card, stop.signal);
    await settle(card, file, job.id);
    tell(before.has(job.id) ? fill(form.dataset.sameFile, { name: file.name }) : "");
  } catch (error) {
    if (error.name !== "AbortError") {
      refuse(file, card, error);
    }
  }
}

/** Sends the file again after a lost answer. This is safe: the server does not add the same bytes a second time. */
async function sendAgainWhileBroken(form, file, card, signal) {
  for (let again = 0; ; again += 1) {
    try {
      return await upload(file, form.dataset.api, signal, (fraction) => showUploading(card, fraction));
    } catch (error) {
      if (!error.broken || again === AGAIN_MAX) {
        throw error;
      }
      const pause = AGAIN_MS_FIRST * 2 ** again * (0.75 + 0.5 * Math.random());
      const text = showSendingAgain(card, Math.ceil(pause / 1000));
      if (again === 0) {
        announce(`${file.name}: ${text}`);
      }
      await paused(pause, signal);
    }
  }
}

/** Waits until the time has passed or the browser is online again. Rejects if the file is removed meanwhile. */
function paused(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    addEventListener("online", resolve, { once: true });
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

function onRemove(card, stop) {
  card.querySelector('[data-action="remove"]').onclick = () => {
    stop();
    card.remove();
    document.getElementById("file").focus();
  };
}

/** @param {{ message: string, inFile?: boolean, waitMs?: number }} error `waitMs`: time before which a retry is refused */
function refuse(file, card, error) {
  onRemove(card, () => {});
  showCard(card);
  let text = error.message;
  if (error.waitMs) {
    const time = new Date(Date.now() + error.waitMs).toLocaleTimeString("en-ZA", { hour: "2-digit", minute: "2-digit" });
    text += ` You can try again at ${time}.`;
    setTimeout(() => card.dataset.status === "failed" && showRefused(card, error.message, true), error.waitMs);
  }
  showRefused(card, text, !error.inFile && !error.waitMs);
  announce(`${file.name}: ${text}`);
}

/** The server's card replaces the browser's own card. */
async function settle(card, file, job) {
  announce(`${file.name} is uploaded.`);
  if (document.getElementById(`card-${job}`)) {
    card.remove();
  } else {
    card.id = `card-${job}`;
    card.removeAttribute("data-local");
  }
  await refresh();
}

function followPending() {
  for (const card of document.querySelectorAll('[data-job][data-status="queued"], [data-job][data-status="processing"]')) {
    const id = card.dataset.job;
    if (!followed.has(id)) {
      followed.add(id);
      follow(id, (status) => update(id, status));
    }
  }
}

function update(id, status) {
  if (status && status.status !== "completed" && status.status !== "failed") {
    showStatus(id, status);
    return;
  }
  followed.delete(id);
  refresh().then(() => {
    const card = document.getElementById(`card-${id}`);
    if (card && status) {
      announce(`${status.file_name}: ${card.querySelector('[data-field="state"]').textContent}`);
    }
  });
}
