// A button for what the browser's menu does as well.

export function startPrinting() {
  document.addEventListener("click", (event) => event.target.closest("#print") && print());
  document.addEventListener("parts:new", show);
  show();
}

function show() {
  document.getElementById("print")?.removeAttribute("hidden");
}
