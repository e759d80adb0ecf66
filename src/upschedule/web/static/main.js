// The page works without this file; with it, nothing reloads and progress is live.
import { startCalendar } from "./calendar.js";
import { startDocuments } from "./documents.js";
import { startParts } from "./parts.js";
import { startPhone } from "./phone.js";
import { startPrinting } from "./printing.js";
import { startRemoval } from "./removal.js";
import { startSaving } from "./saving.js";
import { startWeeks } from "./weeks.js";

startParts();
startSaving();
startWeeks();
startRemoval();
startPrinting();
startDocuments();
startCalendar();
startPhone();
// Hides what is there only for a page whose scripts are blocked, or have not come yet.
document.documentElement.dataset.scripts = "ready";
