// From files chosen or dropped to documents read.
import { announce } from "./announce.js";
import { addCard, showCard, showRefused, showStatus, showUploading } from "./cards.js";
import { follow } from "./follow.js";
import { refresh } from "./parts.js";
import { upload } from "./upload.js";

/** Jobs whose status somebody is already waiting for. */
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
  // Chosen before this script came.
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
  // On the whole window: a file that misses the zone must not replace the page.
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

function take(form, files) {
  for (const file of files) {
    const card = addCard(file);
    const attempt = () => deliver(form.dataset.api, file, card);
    card.querySelector('[data-action="retry"]').addEventListener("click", attempt);
    attempt();
  }
}

async function deliver(url, file, card) {
  const stop = new AbortController();
  card.querySelector('[data-action="remove"]').onclick = () => {
    stop.abort();
    card.remove();
    document.getElementById("file").focus();
  };
  showUploading(card, 0);
  try {
    const job = await upload(file, url, stop.signal, (fraction) => showUploading(card, fraction));
    await settle(card, file, job.id);
  } catch (error) {
    if (error.name !== "AbortError") {
      showCard(card);
      showRefused(card, error.message, !error.inFile);
      announce(`${file.name}: ${error.message}`);
    }
  }
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
