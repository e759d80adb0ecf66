// Shows one card for each document, with the progress of its upload and of its job.
import { fill } from "./announce.js";

/** @returns {HTMLElement} */
const section = () => document.getElementById("documents");

const field = (card, name) => card.querySelector(`[data-field="${name}"]`);

/** @param {File} file @returns {HTMLElement} a card that exists only in this browser until the server accepts the upload */
export function addCard(file) {
  const template = document.getElementById("card-template");
  const card = template.content.firstElementChild.cloneNode(true);
  field(card, "name").textContent = file.name;
  field(card, "size").textContent = size(file.size);
  field(card, "progress").setAttribute("aria-label", `Progress of ${file.name}`);
  for (const name of card.querySelectorAll("[data-name]")) {
    name.textContent = ` ${file.name}`;
  }
  card.dataset.file = file.name;
  showCard(card);
  return card;
}

/** Adds the card at the beginning if it is not on the page. @param {HTMLElement} card */
export function showCard(card) {
  if (!card.isConnected) {
    document.getElementById("cards").prepend(card);
    section().hidden = false;
  }
}

/**
 * The server can show a document before its answer to the upload arrives. Its card then replaces the browser's own one,
 * so that no document is shown twice.
 *
 * @param {HTMLElement} old @param {HTMLElement} fresh the section as it is, and as the server shows it now
 */
export function carryLocal(old, fresh) {
  const cards = fresh.querySelector("#cards");
  const added = [...cards.querySelectorAll("[data-job]")].filter((card) => !old.querySelector(`#${card.id}`));
  const local = [...old.querySelectorAll("li[data-local]")].filter((card) => {
    const twin = added.findIndex((other) => field(other, "name").textContent.trim() === card.dataset.file);
    const isShown = card.dataset.status === "uploading" && twin >= 0;
    if (isShown) {
      added.splice(twin, 1);
    }
    return !isShown;
  });
  if (local.length) {
    fresh.hidden = false;
    cards.prepend(...local);
  }
}

export function showUploading(card, fraction) {
  card.dataset.status = "uploading";
  retryButton(card).hidden = true;
  field(card, "progress").hidden = false;
  field(card, "progress").value = fraction;
  field(card, "state").textContent = fill(section().dataset.uploading, { percent: Math.round(fraction * 100) });
}

/** @param {HTMLElement} card @param {number} seconds @returns {string} the sentence that the card shows */
export function showSendingAgain(card, seconds) {
  field(card, "progress").removeAttribute("value");
  field(card, "state").textContent = fill(section().dataset.again, { seconds });
  return field(card, "state").textContent;
}

/** @param {HTMLElement} card @param {string} text @param {boolean} canRetry */
export function showRefused(card, text, canRetry) {
  card.dataset.status = "failed";
  const icon = card.querySelector("use");
  icon.setAttribute("href", icon.getAttribute("href").replace(/#.*/, "#alert"));
  retryButton(card).hidden = !canRetry;
  field(card, "progress").hidden = true;
  field(card, "state").textContent = text;
}

/** @param {string} id @param {Record<string, any>} status */
export function showStatus(id, status) {
  const card = document.getElementById(`card-${id}`);
  if (!card) {
    return;
  }
  card.dataset.status = status.status;
  field(card, "state").textContent = stage(status);
  const progress = field(card, "progress");
  if (progress && status.pages) {
    progress.value = status.pages_read / status.pages;
  } else {
    progress?.removeAttribute("value");
  }
}

function stage(status) {
  const texts = section().dataset;
  if (status.status === "queued") {
    return status.position ? fill(texts.position, status) : texts.waiting;
  }
  const page = Math.min(status.pages_read + 1, status.pages);
  return status.pages ? fill(texts.reading, { page, pages: status.pages }) : texts.opening;
}

const retryButton = (card) => card.querySelector('[data-action="retry"]');

function size(bytes) {
  return bytes < 1_000_000 ? `${Math.max(1, Math.round(bytes / 1000))} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
