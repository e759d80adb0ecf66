// Follows the status of a job until it is final: by server-sent events, or else by polling with growing pauses.

const FINAL = new Set(["completed", "failed"]);
// Browsers open six connections to a server without HTTP/2; uploads need some of them.
const STREAMS_MAX = 2;
const SILENCE_MS = 45_000;
const PAUSE_MS_FIRST = 1_000;
const PAUSE_MS_MAX = 15_000;

let streams = 0;

/** @param {string} id @param {(status: Record<string, any> | null) => void} onStatus null: the job does not exist any more */
export async function follow(id, onStatus) {
  if (streams < STREAMS_MAX) {
    streams += 1;
    const final = await listen(id, onStatus);
    streams -= 1;
    if (final) {
      return;
    }
  }
  await poll(id, onStatus);
}

/** @returns {Promise<boolean>} true after the final status; false if the stream ended or sent nothing for too long */
function listen(id, onStatus) {
  return new Promise((resolve) => {
    const source = new EventSource(`/api/v1/jobs/${id}/stream`);
    const end = (final) => {
      clearTimeout(timer);
      source.close();
      resolve(final);
    };
    let timer = setTimeout(end, SILENCE_MS, false);
    source.addEventListener("status", (event) => {
      clearTimeout(timer);
      timer = setTimeout(end, SILENCE_MS, false);
      const status = JSON.parse(event.data);
      if (FINAL.has(status.status)) {
        end(true);
      }
      onStatus(status);
    });
    source.onerror = () => end(false);
  });
}

async function poll(id, onStatus) {
  let pause = PAUSE_MS_FIRST;
  let etag = "";
  for (;;) {
    const answer = await ask(id, etag);
    if (answer.gone) {
      onStatus(null);
      return;
    }
    if (answer.status) {
      onStatus(answer.status);
      if (FINAL.has(answer.status.status)) {
        return;
      }
    }
    pause = answer.status ? PAUSE_MS_FIRST : Math.min(pause * 1.6, PAUSE_MS_MAX);
    etag = answer.etag ?? etag;
    await new Promise((resolve) => setTimeout(resolve, Math.max(pause * (0.8 + 0.4 * Math.random()), answer.wait)));
  }
}

async function ask(id, etag) {
  try {
    const response = await fetch(`/api/v1/jobs/${id}`, {
      headers: etag ? { "If-None-Match": etag } : {},
      cache: "no-store",
      signal: AbortSignal.timeout(10_000),
    });
    return {
      gone: response.status === 404 || response.status === 401,
      status: response.ok ? await response.json() : null,
      etag: response.ok ? response.headers.get("ETag") : null,
      wait: 1000 * Number(response.headers.get("Retry-After") ?? 0),
    };
  } catch {
    return { gone: false, status: null, etag: null, wait: 0 };
  }
}
