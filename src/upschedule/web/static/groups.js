// The screen for choosing groups works without this file; with it, nothing reloads.
import { startParts } from "./parts.js";

startParts();
document.documentElement.dataset.scripts = "ready";
