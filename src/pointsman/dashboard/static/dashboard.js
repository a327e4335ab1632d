"use strict";
// What the pages do beyond links and forms: the overview renews itself, the dial has a slider, a new key can be copied.

const live = document.getElementById("live");
if (live) {
  let busy = false;
  const renew = async () => {
    // Not while it is out of sight, nor under the hands of somebody who opened a part of it.
    if (busy || document.hidden || live.querySelector("details[open]") || live.contains(document.activeElement)) return;
    busy = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("live");
        if (fresh) live.replaceChildren(...fresh.childNodes);
      }
    } catch {
      // The gateway restarts, or the session is over: the next one tells.
    } finally {
      busy = false;
    }
  };
  setInterval(renew, 1000 * Number(live.dataset.everyS));
}

const dial = document.querySelector("[data-dial]");
if (dial) {
  const rows = [...document.querySelectorAll("#dial-rows tbody tr")];
  const slider = dial.querySelector("input");
  const words = dial.querySelector("output");
  const show = () => {
    rows.forEach((row, place) => row.classList.toggle("picked", place === Number(slider.value)));
    const row = rows[Number(slider.value)];
    const [threshold, , strong, cost, , saved] = [...row.querySelectorAll("td")].map((cell) => cell.textContent.trim());
    words.textContent = `${row.dataset.words}: ${strong} to the strongest, costs ${cost}, saves ${saved} (threshold ${threshold})`;
  };
  const now = rows.findIndex((row) => row.classList.contains("now"));
  if (now >= 0) slider.value = String(now);
  slider.addEventListener("input", show);
  dial.hidden = false;
  show();
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}
