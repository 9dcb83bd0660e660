// Counts the rests down, takes the live part of the page anew every few seconds, and tells each cell of a table its
// column, which a phone shows beside it. Without it the page reloads, and tables are wider than a phone.
"use strict";

const EVERY = 5000;

function spell(seconds) {
  for (const [size, unit] of [[86400, "days"], [3600, "h"], [60, "min"]]) {
    if (seconds >= 2 * size) return `${Math.round(seconds / size)} ${unit}`;
  }
  return `${Math.max(0, Math.round(seconds))} s`;
}

function countDown() {
  for (const each of document.querySelectorAll(".left")) {
    each.dataset.seconds = Math.max(0, Number(each.dataset.seconds) - 1);
    each.textContent = spell(Number(each.dataset.seconds));
  }
}

async function renew() {
  // Who is about to press a button should find it where it was.
  if (document.hidden || document.querySelector("#live button:focus, #live button:hover")) return;
  const reply = await fetch("/ui", { headers: { accept: "text/html" } }).catch(() => null);
  if (!reply || !reply.ok) return;
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
  for (const part of ["header", "#live"]) {
    document.querySelector(part).replaceWith(fresh.querySelector(part));
  }
  document.title = fresh.title;
  nameCells();
}

function nameCells() {
  for (const table of document.querySelectorAll("#live table")) {
    const names = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent);
    for (const row of table.tBodies[0].rows) {
      for (const [place, cell] of Array.from(row.cells).entries()) cell.dataset.column = names[place];
    }
    table.classList.add("named");
  }
}

nameCells();

setInterval(countDown, 1000);
setInterval(renew, EVERY);
