// Proposes the browser's own time zone before anything was set. The page is whole
// without it.
"use strict";

for (const field of document.querySelectorAll("[data-zone]")) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (own) field.value = own;
}
