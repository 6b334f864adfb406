(() => {
  "use strict";
  const panels = JSON.parse(document.getElementById("panels").textContent);
  const plots = [...document.querySelectorAll(".plot")];

  // On a touch screen a drag scrolls the page; it must not zoom a plot that happens to lie under the finger.
  const touch = matchMedia("(hover: none)").matches;

  // Figures name CSS variables instead of colours, so that the theme of the page decides.
  const coloured = (value, style) => {
    if (typeof value === "string") {
      const name = /^var\((--[a-z-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    return Array.isArray(value) ? value.map((item) => coloured(item, style)) : value;
  };
  const themed = (value, style) => {
    if (Array.isArray(value)) return value.map((item) => themed(item, style));
    if (value === null || typeof value !== "object") return value;
    const entries = Object.entries(value).map(([key, item]) =>
      [key, /color/.test(key) ? coloured(item, style) : themed(item, style)]);
    return Object.fromEntries(entries);
  };

  const layoutOf = (layout, style, plot) => {
    const colour = (name) => style.getPropertyValue(name).trim();
    const size = document.documentElement.classList.contains("printing") ? 10.5 : 12;
    const axis = {
      gridcolor: colour("--grid"), linecolor: colour("--faint"), zerolinecolor: colour("--rule"), zerolinewidth: 1,
      showline: true, ticks: "outside", ticklen: 4, tickcolor: colour("--faint"), automargin: true, fixedrange: touch,
    };
    const full = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
      margin: { l: 34, r: 14, t: 22, b: 46 }, dragmode: touch ? false : "zoom",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--faint"), activecolor: colour("--ink") },
      font: { family: style.getPropertyValue("--sans").trim(), size, color: colour("--muted") },
      hoverlabel: {
        bgcolor: colour("--paper"), bordercolor: colour("--rule"), font: { color: colour("--ink"), size: 12 }, align: "left",
      },
      ...themed(layout, style), width: plot.clientWidth, height: plot.clientHeight,
    };
    for (const name of ["xaxis", "yaxis"]) {
      full[name] = { ...axis, ...full[name] };
      full[name].title = { ...full[name].title, font: { size } };
    }
    return full;
  };

  // The buttons are listed, not subtracted: plotly's own list holds one that uploads the plot.
  const settings = {
    displaylogo: false, showSendToCloud: false, plotlyServerURL: "", showTips: false,
    displayModeBar: touch ? false : "hover", modeBarButtons: [["toImage", "zoom2d", "resetScale2d"]],
    toImageButtonOptions: { format: "svg", filename: "twinseq" },
  };
  const draw = (plot) => {
    if (plot.offsetWidth === 0) return;
    const style = getComputedStyle(document.documentElement);
    const { data, layout } = panels[Number(plot.dataset.panel)];
    Plotly.react(plot, themed(data, style), layoutOf(layout, style, plot), settings);
  };
  const drawAll = () => plots.forEach(draw);

  drawAll();

  // The system decides between light and dark until the reader does.
  const sheet = document.getElementById("dark");
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const pressed = (dark) => button.setAttribute("aria-pressed", String(dark));
  let chosen = false;
  pressed(system.matches);
  button.hidden = false;
  button.addEventListener("click", () => {
    const dark = button.getAttribute("aria-pressed") !== "true";
    chosen = true;
    sheet.media = dark ? "screen" : "not all";
    pressed(dark);
    drawAll();
  });
  system.addEventListener("change", () => {
    if (!chosen) pressed(system.matches);
    drawAll();
  });

  // The contents tell where the reader is.
  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const places = [...links.keys()].map((id) => document.getElementById(id));
  const mark = () => {
    const here = places.filter((place) => place.getBoundingClientRect().top < innerHeight / 3).pop() ?? places[0];
    for (const [id, link] of links) {
      if (id === here.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  if (places.length) {
    addEventListener("scroll", mark, { passive: true });
    mark();
  }
  document.querySelectorAll("details").forEach((details) =>
    details.addEventListener("toggle", () => details.open && details.querySelectorAll(".plot").forEach(draw)));

  // Another script of the page says what a plot shows from now on.
  addEventListener("panel", ({ detail }) => {
    panels[detail.number] = detail.panel;
    drawAll();
  });

  let waiting = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(drawAll);
  });

  // On paper everything is unfolded, light, and as wide as the paper.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((details) => { details.open = true; });
    document.documentElement.classList.add("printing");
    drawAll();
  });
  addEventListener("afterprint", () => {
    folded.forEach((details) => { details.open = false; });
    document.documentElement.classList.remove("printing");
    drawAll();
  });
})();
