"use strict";

// A file that is too large is told before it is sent: the server would have to cut the line.
for (const form of document.querySelectorAll("form[data-most]")) {
  form.addEventListener("submit", (event) => {
    const files = [...form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files]);
    const size = files.reduce((sum, file) => sum + file.size, 0);
    const most = Number(form.dataset.most);
    const problem = document.getElementById("problem");
    if (size > most) {
      event.preventDefault();
      problem.textContent = `These files have ${(size / 1e9).toFixed(1)} GB; at most ${most / 1e9} GB are taken. ` +
        "Use the command line, or start the app with a larger --max-upload.";
      problem.hidden = false;
      return;
    }
    problem.hidden = true;
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    button.textContent = "Reading …";
  });
}

// Fields that belong to one choice are shown with it.
for (const part of document.querySelectorAll("[data-shown-for]")) {
  const update = () => {
    const chosen = document.querySelector("input[name=preset]:checked");
    part.hidden = chosen === null || chosen.value !== part.dataset.shownFor;
  };
  document.querySelectorAll("input[name=preset]").forEach((input) => input.addEventListener("change", update));
  update();
}

const watch = document.getElementById("watch");
if (watch !== null) {
  const bar = document.getElementById("bar");
  const doing = document.getElementById("doing");
  const elapsed = document.getElementById("elapsed");
  const look = async () => {
    try {
      const answer = await fetch(watch.dataset.state);
      const state = await answer.json();
      if (state.phase !== "running") {
        location.replace(state.phase === "done" ? watch.dataset.result : location.href);
        return;
      }
      if (doing.textContent !== state.text) doing.textContent = state.text;
      if (state.total > 0) {
        bar.max = state.total;
        bar.value = state.done;
      } else {
        bar.removeAttribute("value");
      }
      elapsed.textContent = String(Math.floor(state.seconds));
    } catch {
      doing.textContent = "The app does not answer. Was it ended?";
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 300);
}

// A page that the browser kept must not show a state that has passed.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
