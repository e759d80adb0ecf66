// Shows the last timetable without a connection, and receives the PDFs that a phone shares with the application.
// It stores one page of a person. The next page replaces it, also if it is that of a stranger; signing out and deleting
// the account delete it.

const HOME = "/";
const PAGES = "pages";
const ASSETS = "assets";
const SHARED = "shared";
const MARK = "<!-- offline -->";
const ANSWER_MS_MAX = 10_000;
const SHARED_FILES_MAX = 20;

/** Numbers of the requests for the page, so that a slow answer never replaces the answer to a later request. */
let asked = 0;
let stored = 0;

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(keep()));
addEventListener("message", (event) => event.data === "keep" && event.waitUntil(keep()));

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) {
    return;
  }
  if (request.method === "POST" && url.pathname.startsWith("/account")) {
    // After signing out or deleting everything, no page may stay on this device, and no late answer may be stored.
    stored = ++asked;
    event.waitUntil(caches.delete(PAGES));
  } else if (request.method === "POST" && url.pathname === "/documents" && url.searchParams.has("shared")) {
    event.respondWith(takeShared(request));
  } else if (request.method === "GET" && url.pathname.startsWith("/static/")) {
    event.respondWith(asset(request));
  } else if (request.mode === "navigate" && url.pathname === HOME && request.method === "GET") {
    event.respondWith(page(event));
  }
});

/** The current page, or the stored one if there is no answer. */
async function page(event) {
  const kept = await caches.match(HOME, { cacheName: PAGES });
  const number = ++asked;
  try {
    const answer = fetch(event.request);
    // Without a stored page, the browser waits for the answer as it does without this script.
    const fresh = await (kept ? Promise.race([answer, tooLate()]) : answer);
    if (fresh.ok) {
      event.waitUntil(store(fresh.clone(), number));
    }
    return fresh;
  } catch {
    return kept ? marked(kept) : Response.error();
  }
}

const tooLate = () => new Promise((_, reject) => setTimeout(reject, ANSWER_MS_MAX));

async function keep() {
  const number = ++asked;
  try {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const answer = await fetch(HOME, { headers: { Accept: "text/html" }, signal });
    if (answer.ok) {
      await store(answer, number);
    }
  } catch {
    // Without a connection, the stored page remains.
  }
}

/** Stores the page with the files that it needs, and deletes the files of earlier releases. */
async function store(answer, number) {
  const text = await answer.clone().text();
  if (number < stored) {
    return;
  }
  stored = number;
  await (await caches.open(PAGES)).put(HOME, answer);
  const assets = await caches.open(ASSETS);
  const needed = new Set([...text.matchAll(/"(\/static\/[^"#]+)/g)].map((found) => new URL(found[1], location).href));
  const present = new Set();
  for (const request of await assets.keys()) {
    if (needed.has(request.url)) {
      present.add(request.url);
    } else {
      await assets.delete(request);
    }
  }
  await assets.addAll([...needed].filter((address) => !present.has(address)));
}

async function asset(request) {
  return (await caches.match(request.url, { cacheName: ASSETS })) ?? fetch(request);
}

/** Adds the time at which the page was stored. */
async function marked(kept) {
  const date = new Date(kept.headers.get("Date") ?? Date.now());
  const time = date.toLocaleString("en-ZA", { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });
  const note = `<p class="note note--caution" id="offline" role="status"><span>No connection. This is your timetable as of ${time}.</span></p>`;
  const text = (await kept.text()).replace(MARK, note);
  const headers = new Headers(kept.headers);
  headers.delete("Content-Encoding");
  headers.delete("Content-Length");
  return new Response(text, { headers });
}

/** Stores the shared files. The page then uploads them like files that are chosen there. */
async function takeShared(request) {
  const files = (await request.formData()).getAll("file").filter((file) => file instanceof File);
  const cache = await caches.open(SHARED);
  for (const [number, file] of files.slice(0, SHARED_FILES_MAX).entries()) {
    const headers = { "X-File-Name": encodeURIComponent(file.name) };
    await cache.put(`/shared-file/${number}`, new Response(file, { headers }));
  }
  return Response.redirect("/?shared=yes", 303);
}
