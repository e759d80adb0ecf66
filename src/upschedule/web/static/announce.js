// Shows and announces sentences. Only a screen reader reads those of `announce`; the others are also visible.

/** @param {string} text */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** Shows an error. @param {string} text an empty text removes the error */
export function complain(text) {
  const message = document.getElementById("message");
  message.hidden = !text;
  message.querySelector("span").textContent = text;
}

/** Shows information that is not an error. @param {string} text an empty text removes it */
export function tell(text) {
  const told = document.getElementById("told");
  told.hidden = !text;
  told.querySelector("span").textContent = text;
}

/** @param {string} template @param {Record<string, unknown>} values */
export function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}
