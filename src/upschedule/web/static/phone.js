// Stores the timetable for use without a connection, and receives the files that a phone shares with the application.
import { take } from "./documents.js";

const KEEP_AFTER_MS = 3_000;
const SHARED = "shared";

export function startPhone() {
  // Plain HTTP has neither service workers nor caches.
  if (!("serviceWorker" in navigator) || !("caches" in window)) {
    return;
  }
  takeShared();
  addEventListener("load", register);
  if (document.readyState === "complete") {
    register();
  }
  let timer = 0;
  document.addEventListener("parts:new", () => {
    clearTimeout(timer);
    timer = setTimeout(keepNow, KEEP_AFTER_MS);
  });
  const keepNow = () => {
    clearTimeout(timer);
    timer = 0;
    keep();
  };
  // A phone may end the page while it is hidden.
  document.addEventListener("visibilitychange", () => timer && document.hidden && keepNow());
}

function register() {
  // If this fails, the page works, but only with a connection.
  navigator.serviceWorker.register("/service-worker.js").catch(() => {});
}

/** Asks the service worker to store the page again, because its copy is older than the page that is shown. */
function keep() {
  navigator.serviceWorker.ready.then((registration) => registration.active?.postMessage("keep"));
}

async function takeShared() {
  const url = new URL(location.href);
  if (!url.searchParams.has("shared")) {
    return;
  }
  url.searchParams.delete("shared");
  history.replaceState(null, "", url);
  const cache = await caches.open(SHARED);
  const files = [];
  for (const request of await cache.keys()) {
    const answer = await cache.match(request);
    const name = decodeURIComponent(answer.headers.get("X-File-Name"));
    files.push(new File([await answer.blob()], name, { type: "application/pdf" }));
  }
  await caches.delete(SHARED);
  take(document.getElementById("upload"), files);
}
