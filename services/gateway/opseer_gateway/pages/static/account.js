// Copy buttons, a first look at a pasted key, and progress that moves by itself.
// The pages are whole without it.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  });
}

// What is said here is a comfort: the server judges every key.
for (const form of document.querySelectorAll("form[data-starts]")) {
  const starts = form.dataset.starts.split(" ");
  const field = form.querySelector("[name=api_key]");
  const hint = form.querySelector("[data-hint]");
  const usual = hint.textContent;
  field.addEventListener("input", () => {
    const key = field.value.trim();
    const fits = key.length < 9 || starts.some((start) => key.startsWith(start));
    hint.textContent = fits ? usual : `Such a key is not accepted here: it begins with ${starts.join(" or ")}.`;
    hint.classList.toggle("bad", !fits);
  });
}

// What is shown once, or after a form, stays until one leaves the page.
const stays = document.querySelector(".secret, [role=alert]");

for (const part of document.querySelectorAll("[data-progress]")) {
  if (stays) break;
  const words = part.querySelector("[data-words]");
  const bar = part.querySelector("progress");
  const source = new EventSource(part.dataset.progress);
  source.onmessage = (event) => {
    const row = JSON.parse(event.data);
    if (!row.progress) {
      source.close();
      location.reload();
      return;
    }
    const { stage, done, total, eta_s: left } = row.progress;
    const name = { queued: "Waiting for its turn", computing: "Computing MRR and the report" };
    const stageName = name[stage] || stage.replaceAll("_", " ");
    words.textContent = total
      ? `${stageName}: ${done} of ${total}${left === null ? "" : `, about ${left} s left`}`
      : `${stageName}…`;
    if (total) {
      bar.max = total;
      bar.value = done;
    } else {
      bar.removeAttribute("value");
    }
  };
}
