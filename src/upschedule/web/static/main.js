// The page works without this file; with it, nothing reloads and progress is live.
import { startCalendar } from "./calendar.js";
import { startDocuments } from "./documents.js";
import { startParts } from "./parts.js";

startParts();
startDocuments();
startCalendar();
