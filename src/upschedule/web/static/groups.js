// The screen for choosing groups works without this file; with it, nothing reloads.
import { startParts } from "./parts.js";
import { startSaving } from "./saving.js";

startParts();
startSaving();
document.documentElement.dataset.scripts = "ready";
