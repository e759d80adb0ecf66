// Prints the page when the button is used, like the browser's menu.

export function startPrinting() {
  document.addEventListener("click", (event) => event.target.closest("#print") && print());
  document.addEventListener("parts:new", show);
  show();
}

function show() {
  document.getElementById("print")?.removeAttribute("hidden");
}
