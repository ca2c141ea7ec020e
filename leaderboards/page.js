"use strict";
// Sorting: the heads of a table are buttons; rows of its first body change places, the ground truth stays where it is.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const live = document.getElementById("sorted");
  heads.forEach((head, place) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const numeric = place > 0;
      const first = numeric ? head.dataset.first || "descending" : "ascending";
      const now = head.getAttribute("aria-sort");
      const order = now === null ? first : now === "ascending" ? "descending" : "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const key = (row) => row.cells[place].dataset.key;
      const rows = [...table.tBodies[0].rows];
      rows.sort((left, right) => {
        const a = key(left), b = key(right);
        if (a === "" || b === "") return (a === "") - (b === "");
        return sign * (numeric ? Number(a) - Number(b) : a.localeCompare(b));
      });
      table.tBodies[0].append(...rows);
      if (live) live.textContent = live.dataset.text.replace("{column}", button.textContent.trim());
    });
  });
}
// Players of one item run together: all start at the same time and step by one frame of their own rate.
for (const example of document.querySelectorAll(".example")) {
  const videos = [...example.querySelectorAll("video")];
  const toggle = example.querySelector("[data-do=toggle]");
  if (!toggle || !videos.length) continue;
  let playing = false;
  const show = () => {
    toggle.textContent = playing ? toggle.dataset.pause : toggle.dataset.play;
    toggle.setAttribute("aria-pressed", String(playing));
  };
  // A clip that loops goes back to its beginning even while it is stopped, if its last frame is sought.
  const pause = () => { playing = false; for (const video of videos) { video.pause(); video.loop = false; } show(); };
  const play = () => {
    playing = true;
    at.clear();
    for (const video of videos) { video.loop = true; video.currentTime = 0; video.play().catch(() => {}); }
    show();
  };
  // Where each clip was last told to go: a seek that is still under way may not show in its time.
  const at = new Map();
  const step = (direction) => {
    if (playing) at.clear();
    pause();
    for (const video of videos) {
      const length = Number(video.dataset.frames), rate = Number(video.dataset.fps);
      const now = at.get(video) ?? Math.min(length - 1, Math.floor(video.currentTime * rate + 1e-3));
      const frame = Math.min(length - 1, Math.max(0, now + direction));
      at.set(video, frame);
      video.currentTime = (frame + 0.5) / rate;
    }
  };
  toggle.addEventListener("click", () => (playing ? pause() : play()));
  example.querySelector("[data-do=back]").addEventListener("click", () => step(-1));
  example.querySelector("[data-do=on]").addEventListener("click", () => step(1));
  example.addEventListener("keydown", (event) => {
    const pressed = event.target.closest("button, summary");  // which a space presses
    if (event.key === " " && !pressed) { event.preventDefault(); playing ? pause() : play(); }
    else if (event.key === ",") { event.preventDefault(); step(-1); }
    else if (event.key === ".") { event.preventDefault(); step(1); }
  });
}
// Groups: one metric at a time.
const chooser = document.getElementById("breakdown-column");
if (chooser) {
  const shown = () => {
    for (const table of document.querySelectorAll("[data-column]")) table.hidden = table.dataset.column !== chooser.value;
  };
  chooser.addEventListener("change", shown);
  shown();
}
