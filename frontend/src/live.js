// A collection under way: its progress over server-sent events, and the figures as they
// come, without a new page. Where this does not run, the page asks again by itself.
const EVERY = 2500;

async function freshen() {
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return location.reload();
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["figures", "known-days"]) {
    const [now, next] = [document.getElementById(id), fresh.getElementById(id)];
    if (now && next) now.replaceWith(document.adoptNode(next));
  }
  document.dispatchEvent(new Event("figures:new"));
}

function follow(part) {
  const words = part.querySelector("[data-words]");
  const bar = part.querySelector("progress");
  const events = new EventSource(part.dataset.live);
  let shown = Date.now();
  events.onmessage = (event) => {
    const { progress } = JSON.parse(event.data);
    if (!progress) {
      events.close();
      location.reload();
      return;
    }
    const name = progress.stage.replaceAll("_", " ");
    const stage = words.dataset[progress.stage] ?? name[0].toUpperCase() + name.slice(1);
    const left = progress.eta_s === null ? "" : `, about ${progress.eta_s} s left`;
    words.textContent = progress.total ? `${stage}: ${progress.done} of ${progress.total}${left}` : `${stage}…`;
    if (progress.total) Object.assign(bar, { max: progress.total, value: progress.done });
    if (Date.now() - shown > EVERY) {
      shown = Date.now();
      freshen();
    }
  };
}

for (const part of document.querySelectorAll("[data-live]")) follow(part);
