// On every page. Pages are whole without it.
import "htmx.org";
import "./live.js";

// A menu that was opened closes when one goes on elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.custom[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.custom[open]")) menu.open = false;
});
