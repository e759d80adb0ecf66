// Sentences for people: `announce` is heard only, `complain` is seen and heard.

/** @param {string} text */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** @param {string} text an empty one takes the complaint away */
export function complain(text) {
  const message = document.getElementById("message");
  message.hidden = !text;
  message.querySelector("span").textContent = text;
}

/** What is no fault, seen and heard. @param {string} text an empty one takes it away */
export function tell(text) {
  const told = document.getElementById("told");
  told.hidden = !text;
  told.querySelector("span").textContent = text;
}

/** @param {string} template @param {Record<string, unknown>} values */
export function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}
