// Uploads files, two at a time. Only XMLHttpRequest reports the progress of an upload.
import { OFFLINE, sentence } from "./problem.js";

const AT_ONCE = 2;
const TIMEOUT_MS = 300_000;

// A visitor's first upload runs alone: its answer sets the cookie that identifies the visitor for the next ones.
let known = document.getElementById("upload").dataset.known === "yes";
let running = 0;
/** @type {(() => void)[]} */
const waiting = [];

/**
 * @param {File} file @param {string} url @param {AbortSignal} signal
 * @param {(fraction: number) => void} onProgress
 * @returns {Promise<Record<string, any>>} the job; rejects with an Error whose message is the sentence to show; `inFile`: a retry cannot succeed, `waitMs`: time before which a retry is refused, `broken`: there was no answer
 */
export async function upload(file, url, signal, onProgress) {
  await turn();
  try {
    signal.throwIfAborted();
    const job = await post(file, url, signal, onProgress);
    known = true;
    return job;
  } finally {
    running -= 1;
    admit();
  }
}

function turn() {
  return new Promise((resolve) => {
    waiting.push(resolve);
    admit();
  });
}

function admit() {
  while (waiting.length && running < (known ? AT_ONCE : 1)) {
    running += 1;
    waiting.shift()();
  }
}

function post(file, url, signal, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("file", file);
    request.open("POST", url);
    request.timeout = TIMEOUT_MS;
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 200 || request.status === 202) {
        resolve(JSON.parse(request.responseText));
      } else {
        const told = sentence(request.getResponseHeader("Content-Type") ?? "", request.responseText);
        // After 400 and 413, the cause is in the file, so a retry cannot succeed. A limit (429) says when it ends.
        const inFile = request.status === 400 || request.status === 413;
        const waitMs = request.status === 429 ? 1000 * Number(request.getResponseHeader("Retry-After") ?? 0) : 0;
        // A proxy sends these when its instance has ended: the service did not answer.
        const broken = request.status === 502 || request.status === 504;
        reject(Object.assign(new Error(told), { inFile, waitMs, broken }));
      }
    };
    request.onerror = request.ontimeout = () => reject(Object.assign(new Error(OFFLINE), { broken: true }));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}
