// What went wrong with a request, as the sentence that the server wrote for it.

export const OFFLINE = "No connection to the server. Check your connection and try again.";
const BROKEN = "The server could not answer. Try again in a minute.";

/** @param {string} contentType @param {string} text @returns {string} */
export function sentence(contentType, text) {
  if (contentType.includes("json")) {
    return readJson(text).detail ?? BROKEN;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  return page.querySelector("[role=alert] span")?.textContent.trim() || BROKEN;
}

/** @param {string} text @returns {Record<string, any>} */
function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
