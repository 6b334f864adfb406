(() => {
  "use strict";
  const board = JSON.parse(document.getElementById("board").textContent);
  const at = (id) => document.getElementById(id);
  const state = { view: 0, level: 0, yardstick: "", sort: "", down: true, open: new Set() };

  // Text from data goes into the page as text, never as markup.
  const make = (tag, properties, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(properties ?? {})) {
      if (name in node) node[name] = value;
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  };
  const minus = (text) => text.replace("-", "−");
  const fixed = (value, digits = 2) => minus(value.toFixed(digits));
  const number = (value) => {
    if (value === null) return "–";
    const size = Math.abs(value);
    if (size >= 1000) return minus(Math.round(value).toLocaleString("en"));
    if (size >= 10) return fixed(value, 1);
    return size >= 0.001 || size < 1e-9 ? fixed(Math.abs(value) < 1e-9 ? 0 : value, 3) : minus(value.toExponential(1));
  };
  const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
  const seconds = (value) => (value === null ? "–" : value < 10 ? `${fixed(value, 1)} s` : `${Math.round(value)} s`);

  const levelName = () => board.levels[state.level];
  const levelKey = () => `level ${levelName()}`;
  const frontKey = () => `${state.yardstick}|${levelName()}`;
  const rows = () => board.views[state.view].rows.map((row, index) => ({ ...row, index, ...board.generators[index] }));

  // ---------------------------------------------------------------- the table
  const columns = () => {
    const attacked = board.levels.length > 0;
    const list = [{ key: "name", title: "Generator", up: true, of: (row) => row.name }];
    for (const axis of board.axes)
      list.push({ ...axis, of: (row) => row.places[axis.key]?.value, range: [0, 1], digits: 2 });
    if (attacked) {
      list.push({ key: "attack", title: "Strongest attack", note: `AUC, ${levelName()}`, up: true, range: [1, 0.5],
        digits: 3, place: levelKey(), of: (row) => row.places[levelKey()]?.value });
      if (state.yardstick) {
        list.push({ key: "front", title: "On the frontier", note: `with ${board.yardsticks[state.yardstick].title}`,
          of: (row) => front(row)?.[1] });
      }
      if (board.weights) {
        const place = `weighted ${levelName()}`;
        list.push({ key: "weighted", title: "Your weights", note: board.weights, place, range: [0, 1], digits: 2,
          of: (row) => row.places[place]?.value });
      }
    }
    board.policies.forEach((policy, place) => list.push({ key: `policy ${policy}`, title: `Policy ${policy}`, policy: place,
      of: (row) => row.verdicts[place]?.merit }));
    list.push({ key: "fit", title: "Time to make", note: "fit and twin", up: true, of: (row) => row.fit });
    return list;
  };
  const known = (place) => place?.value !== undefined;
  const comparable = (row) => Boolean(row.places[state.yardstick]?.rank && row.places[levelKey()]?.rank);
  const front = (row) => (comparable(row) ? row.fronts[frontKey()] : null);

  const sorted = () => {
    const column = columns().find((one) => one.key === state.sort) ?? columns()[0];
    const there = (row) => column.of(row) !== undefined && column.of(row) !== null;
    const compare = (a, b) => {
      const [x, y] = [column.of(a), column.of(b)];
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return (state.down ? -order : order) || a.name.localeCompare(b.name);
    };
    // What is missing comes last, whichever way round.
    return [...rows().filter(there).sort(compare), ...rows().filter((row) => !there(row))];
  };

  const scale = (place, [from, to], spoken) => {
    const space = "http://www.w3.org/2000/svg";
    const x = (value) => `${Math.max(0, Math.min(100, (100 * (value - from)) / (to - from)))}%`;
    const node = document.createElementNS(space, "svg");
    const add = (tag, attributes) => {
      const part = document.createElementNS(space, tag);
      Object.entries(attributes).forEach(([name, value]) => part.setAttribute(name, value));
      node.append(part);
    };
    Object.entries({ class: "scale", width: "100%", height: 12, role: "img", "aria-label": spoken })
      .forEach(([name, value]) => node.setAttribute(name, value));
    add("line", { class: "track", x1: "0", x2: "100%", y1: 6, y2: 6 });
    for (const end of ["0", "100%"]) add("line", { class: "end", x1: end, x2: end, y1: 3, y2: 9 });
    if (place.interval) add("line", { class: "span", x1: x(place.interval[0]), x2: x(place.interval[1]), y1: 6, y2: 6 });
    add("circle", { class: "value", cx: x(place.value), cy: 6, r: 4 });
    return node;
  };
  const missing = (reason) => make("details", { className: "why" },
    make("summary", { title: reason, "aria-label": `missing: ${reason}` }, "–"), make("p", {}, reason));
  const rankOf = (place) => {
    if (!place.rank) return place.reason;
    const spread = place.ranks && place.ranks[0] !== place.ranks[1] ? ` (${place.ranks[0]}–${place.ranks[1]})` : "";
    return `rank ${place.rank}${spread}`;
  };
  const cell = (row, column) => {
    const inside = [];
    if (column.policy !== undefined) {
      const found = row.verdicts[column.policy];
      inside.push(found ? make("span", { className: `outcome ${found.gravest}` }, found.words) : missing("not judged by this policy"));
    } else if (column.key === "fit") inside.push(row.fit === null ? missing("no fit ended well") : make("span", {}, seconds(row.fit)));
    else if (column.key === "front") {
      const found = front(row);
      if (!found) inside.push(missing(row.places[state.yardstick].reason || row.places[levelKey()].reason));
      else {
        const resampled = board.views[state.view].resampled;
        inside.push(make("span", { className: `front-mark${found[0] ? " on" : ""}` },
          resampled ? `in ${percent(found[1])}` : found[0] ? "yes" : "no"));
        if (resampled) inside.push(make("span", { className: "sub" }, "of resamples"));
      }
    } else {
      const place = row.places[column.place ?? column.key];
      if (!known(place)) inside.push(missing(place.reason));
      else {
        const spread = place.interval ? place.interval.map((end) => fixed(end, column.digits)).join(" to ") : "";
        inside.push(make("span", { className: "figure" }, fixed(place.value, column.digits)),
          scale(place, column.range, `${column.title} ${fixed(place.value, column.digits)}`),
          make("span", { className: "sub" }, spread), make("span", { className: "sub" }, rankOf(place)));
      }
    }
    return make("td", { "data-head": column.title }, ...inside);
  };

  const drawHead = () => {
    const head = document.querySelector("#table thead tr");
    const focused = document.activeElement?.dataset?.key;
    head.replaceChildren(...columns().map((column) => {
      const button = make("button", { type: "button" }, column.title);
      button.dataset.key = column.key;
      button.addEventListener("click", () => sortBy(column));
      const heading = make("th", { scope: "col" }, button);
      if (column.note) heading.append(make("span", { className: "sub" }, column.note));
      if (column.key === state.sort) heading.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      return heading;
    }));
    if (focused) head.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    at("sort").replaceChildren(...columns().map((column) =>
      make("option", { value: column.key, selected: column.key === state.sort }, column.title)));
  };
  const drawBody = () => {
    const shown = columns();
    document.querySelector("#table tbody").replaceChildren(...sorted().flatMap((row) => {
      const open = state.open.has(row.index);
      const button = make("button", { type: "button", className: "opener", "aria-expanded": String(open),
        "aria-controls": `drill-${row.index}` }, make("bdi", {}, row.name));
      button.addEventListener("click", () => toggle(row.index));
      const name = make("th", { scope: "row" }, button);
      if (row.audited < row.splits) name.append(make("span", { className: "sub" }, `${row.audited} of ${row.splits} twins`));
      const line = make("tr", {}, name, ...shown.slice(1).map((column) => cell(row, column)));
      line.dataset.row = row.index;
      return open ? [line, drill(row, shown.length)] : [line];
    }));
  };
  const sortBy = (column) => {
    state.down = state.sort === column.key ? !state.down : !column.up;
    state.sort = column.key;
    drawHead();
    drawBody();
    const best = column.key === "name" ? "" : state.down === !column.up ? ", best first" : ", best last";
    at("sorted").textContent = `Sorted by ${column.title}${best}`;
  };
  const toggle = (index) => {
    if (!state.open.delete(index)) state.open.add(index);
    drawBody();
    document.querySelector(`[data-row="${index}"] .opener`).focus();
  };

  // ---------------------------------------------------------------- behind a row
  const plain = (title, header, lines) => make("div", { className: "scroll", role: "region", tabIndex: 0, "aria-label": title },
    make("table", { className: "plain" }, make("caption", { className: "unseen" }, title),
      make("thead", {}, make("tr", {}, ...header.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...lines.map((line) => make("tr", {}, ...line.map((item, column) =>
        make(column ? "td" : "th", column ? {} : { scope: "row" }, item)))))));
  const folded = (title, ...children) => make("details", { className: "data" }, make("summary", {}, title), ...children);
  const withInterval = (value, low, high) => (low === null ? number(value) : `${number(value)} (${number(low)} to ${number(high)})`);

  const drill = (row, width) => {
    const alone = board.cohorts.length === 1;
    const together = !alone && state.view === 0;
    const parts = together ? byCohort(row) : onCohort(row, board.cohorts[alone ? 0 : state.view - 1]);
    const inside = make("td", { colSpan: width }, make("h3", {}, make("bdi", {}, row.name)), ...parts);
    return make("tr", { className: "drill", id: `drill-${row.index}` }, inside);
  };
  const byCohort = (row) => {
    const keys = [...board.axes.map((axis) => [axis.title, axis.key, 2])];
    if (board.levels.length) keys.push([`Strongest attack, ${levelName()}`, levelKey(), 3]);
    const lines = board.views.slice(1).map((view) => [view.title, ...keys.map(([, key, digits]) => {
      const place = view.rows[row.index].places[key];
      if (!known(place)) return missing(place.reason);
      const spread = place.interval ? ` (${place.interval.map((end) => fixed(end, digits)).join(" to ")})` : "";
      return fixed(place.value, digits) + spread;
    })]);
    return [plain("By cohort", ["Cohort", ...keys.map(([title]) => title)], lines),
      make("p", { className: "note" }, "Choose a single cohort above for metrics, attacks and reports.")];
  };
  const onCohort = (row, cohort) => {
    const found = cohort.rows[row.index];
    const splits = found.splits.map((split) => {
      const attack = split.attacks[levelName()];
      const report = split.report === null
        ? make("span", { className: "said" }, split.reason || "no report here") : make("a", { href: split.report }, "audit report");
      return [`Split ${split.split}`, report, attack ? withInterval(attack[0], attack[1], attack[2]) : "–", attack ? attack[3] : "–",
        seconds(split.fit), seconds(split.audit)];
    });
    const parts = [plain("Splits",
      ["Twin", "Report", levelName() ? `AUC, ${levelName()} (95 %)` : "AUC", "Attack", "Fit", "Audit"], splits)];
    if (found.verdicts.length) {
      parts.push(folded(`Policies: ${found.verdicts.length} ${found.verdicts.length === 1 ? "verdict" : "verdicts"}, with reasons`,
        plain("Verdicts", ["Twin", "Policy", "Verdict", "Reasons"],
          found.verdicts.map(([split, policy, outcome, reasons]) =>
            [`Split ${split}`, policy, outcome, make("span", { className: "said" }, reasons)]))));
    }
    for (const [group, title] of Object.entries(cohort.groups)) {
      const lines = found.metrics.filter((metric) => cohort.metrics[metric[0]][1] === group);
      if (!lines.length) continue;
      parts.push(folded(`${title}: ${lines.length} metrics`, plain(`${title}, metrics`,
        ["Metric", "Twin, mean over splits", "Real data", "Known-bad", "0 to 1", "Better"],
        lines.map(([which, value, low, high, ceiling, floor, place, reason]) => [cohort.metrics[which][0],
          value === null ? missing(reason) : withInterval(value, low, high), number(ceiling), number(floor),
          place === null ? missing(reason) : fixed(place, 2), cohort.metrics[which][2]]))));
    }
    const tried = found.attacks.filter((attack) => attack[1] === levelName());
    if (tried.length) {
      parts.push(folded(`Attacks at ${levelName()}: ${tried.length}`, plain("Attacks", ["Attack", "AUC, mean over splits"],
        tried.map(([title, , value, low, high, reason]) => [title, value === null ? missing(reason) : withInterval(value, low, high)]))));
    }
    return parts;
  };

  // ---------------------------------------------------------------- the frontier
  const drawFrontier = () => {
    const plot = at("plot");
    if (!plot || !state.yardstick) return;
    const { axis, less, bounded } = board.yardsticks[state.yardstick];
    const safe = levelKey();
    const points = rows().filter(comparable).map((row) => ({ row, x: row.places[state.yardstick], y: row.places[safe], on: front(row)[0] }));
    const ends = (pick) => points.flatMap((point) => [pick(point).value, ...(pick(point).interval ?? [])]);
    const xs = ends((point) => point.x);
    const [least, most] = xs.length ? [Math.min(...xs), Math.max(...xs)] : [0, 1];
    const air = Math.max(0.12 * (most - least), 0.04 * Math.max(Math.abs(most), Math.abs(least)), 1e-9);
    // Nothing lies beyond real data on an axis that ends there.
    const range = [least - air, bounded ? Math.min(most + air, 1 + 0.07 * (1 - least + air)) : most + air];
    if (less) range.reverse();
    const bottom = [1.08, Math.min(0.47, ...ends((point) => point.y)) - 0.01];
    const best = points.filter((point) => point.on).sort((a, b) => (less ? b.x.value - a.x.value : a.x.value - b.x.value));
    const line = best.length
      ? { x: [range[0], ...best.map((p) => p.x.value), best.at(-1).x.value], y: [best[0].y.value, ...best.map((p) => p.y.value), bottom[0]] }
      : { x: [], y: [] };
    const error = (list) => {
      const arms = (side) => list.map((place) => (place.interval ? Math.abs(place.interval[side] - place.value) : 0));
      return { type: "data", symmetric: false, array: arms(1), arrayminus: arms(0), color: "var(--faint)", thickness: 1.4, width: 0 };
    };
    const cloud = (list, marker) => ({
      type: "scatter", mode: "markers", x: list.map((p) => p.x.value), y: list.map((p) => p.y.value),
      error_x: error(list.map((p) => p.x)), error_y: error(list.map((p) => p.y)), marker, cliponaxis: false,
      text: list.map((p) => `${p.row.label}${board.views[state.view].resampled ? `<br>on the frontier in ${percent(front(p.row)[1])}` : ""}`),
      hovertemplate: "%{text}<br>usefulness %{x:.3f}<br>attack AUC %{y:.3f}<extra></extra>",
    });
    const data = [
      { type: "scatter", mode: "lines", ...line, line: { color: "var(--twin)", width: 2, shape: "vh" }, hoverinfo: "skip" },
      cloud(points.filter((p) => !p.on), { size: 10, color: "var(--paper)", line: { color: "var(--muted)", width: 2 } }),
      cloud(best, { size: 12, color: "var(--twin)", line: { color: "var(--paper)", width: 1 } }),
    ];
    const layout = {
      xaxis: { title: { text: `${axis} →` }, range, zeroline: false },
      yaxis: { title: { text: `AUC of the strongest attack, ${levelName()} (safer ↑)` }, range: bottom, zeroline: false },
      shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 0.5, y1: 0.5, line: { color: "var(--faint)", width: 1, dash: "dot" } }],
    };
    const show = (annotations) => dispatchEvent(new CustomEvent("panel",
      { detail: { number: 0, panel: { data, layout: { ...layout, annotations } } } }));
    show([]);
    requestAnimationFrame(() => show(labels(plot, points, line)));
    describe(points, best);
  };

  // Names stand beside their points where there is room, further off on a leader where points crowd; numbers where names do not fit.
  const labels = (plot, points, line) => {
    const { xaxis, yaxis } = plot._fullLayout;
    const width = xaxis._length;
    const numbered = width < 480 || points.length > 16;
    const key = at("numbered");
    key.hidden = !numbered;
    key.replaceChildren(...(numbered ? board.generators.map(({ name }) => make("li", {}, make("bdi", {}, name))) : []));
    const centre = (point) => [xaxis.d2p(point.x.value), yaxis.d2p(point.y.value)];
    const taken = points.map((point) => { const [x, y] = centre(point); return [x - 7, y - 7, x + 7, y + 7]; });
    const note = { text: "guessing", xref: "paper", x: 1, xanchor: "right", y: 0.5, yanchor: "bottom", showarrow: false,
      font: { size: 11, color: "var(--muted)" } };
    const guess = yaxis.d2p(0.5);
    taken.push([width - 56, guess - 16, width, guess]);
    // Neither the bars of the intervals nor the line runs through a name.
    for (const { x, y } of points) {
      const [cx, cy] = [xaxis.d2p(x.value), yaxis.d2p(y.value)];
      const bar = (place, axis) => (place.interval ?? [place.value, place.value]).map((end) => axis.d2p(end)).sort((a, b) => a - b);
      const [[l, r], [t, b]] = [bar(x, xaxis), bar(y, yaxis)];
      taken.push([l, cy - 1, r, cy + 1], [cx - 1, t, cx + 1, b]);
    }
    for (let i = 1; i < line.x.length; i += 1) {
      const [x0, y0, x1, y1] = [xaxis.d2p(line.x[i - 1]), yaxis.d2p(line.y[i - 1]), xaxis.d2p(line.x[i]), yaxis.d2p(line.y[i])];
      taken.push([x0 - 1, Math.min(y0, y1), x0 + 1, Math.max(y0, y1)], [Math.min(x0, x1), y1 - 1, Math.max(x0, x1), y1 + 1]);
    }
    const names = [];
    const angles = [0, 180, 90, 270, 45, 135, 225, 315, 22, 67, 112, 157, 202, 247, 292, 337];
    const steps = [0.15, 0.3, 0.45, 0.6, 0.75];
    const free = ([l, t, r, b]) => l >= 0 && t >= -16 && r <= width && b <= yaxis._length
      && taken.every(([L, T, R, B]) => r < L || l > R || b < T || t > B);
    return [note, ...[...points].sort((a, b) => Number(b.on) - Number(a.on)).map((point) => {
      const text = numbered ? String(point.row.index + 1) : point.row.label;
      const plainText = numbered ? text : point.row.name.slice(0, 24);
      const [half, high] = [3.3 * plainText.length + 4, 9];
      const [x, y] = centre(point);
      for (const radius of [10, 22, 36, 54, 74, 96, 130]) {
        for (const angle of angles) {
          const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
          const [cx, cy] = [x + cos * (radius + half), y + sin * (radius + high)];
          const box = [cx - half, cy - high, cx + half, cy + high];
          // A leader must not cross another name, nor a name another leader.
          const leader = radius > 10 ? steps.map((t) => [x + t * (cx - x), y + t * (cy - y)]) : [];
          const crossed = leader.some(([px, py]) => names.some(([l, t, r, b]) => px > l && px < r && py > t && py < b));
          if (!free(box) || crossed) continue;
          names.push(box);
          taken.push(box, ...leader.map(([px, py]) => [px - 1, py - 1, px + 1, py + 1]));
          const place = { x: point.x.value, y: point.y.value, text, font: { size: 12, color: "var(--ink)" }, xanchor: "center", yanchor: "middle" };
          return radius > 10
            ? { ...place, showarrow: true, arrowhead: 0, arrowwidth: 1, arrowcolor: "var(--faint)", standoff: 7, ax: cx - x, ay: cy - y }
            : { ...place, showarrow: false, xshift: cx - x, yshift: y - cy };
        }
      }
      return null;
    }).filter(Boolean)];
  };

  const describe = (points, best) => {
    const resampled = board.views[state.view].resampled;
    if (at("spread")) at("spread").hidden = !resampled;
    const named = (point) => point.row.name + (resampled ? ` (in ${percent(front(point.row)[1])} of resamples)` : "");
    const close = points.filter((point) => !point.on && resampled && front(point.row)[1] >= 0.05);
    const lost = rows().filter((row) => !points.some((point) => point.row.index === row.index));
    const say = (start, names) => (names.length ? [make("p", {}, `${start} ${names.join(", ")}.`)] : []);
    at("front").replaceChildren(
      ...say("On the frontier, the most useful first:", [...best].reverse().map(named)),
      ...say("Not on it, but in at least one resample in twenty:", close.map(named)),
      ...say("Not drawn, for want of figures:", lost.map((row) => row.name)));
  };

  // ---------------------------------------------------------------- controls
  const drawAll = () => {
    at("splits").textContent = board.views[state.view].splits;
    drawHead();
    drawBody();
    drawFrontier();
  };
  const bind = (id, change) => at(id)?.addEventListener("change", ({ target }) => { change(target.value); drawAll(); });
  bind("view", (value) => { state.view = Number(value); });
  bind("level", (value) => { state.level = Number(value); });
  bind("yardstick", (value) => { state.yardstick = value; });
  at("sort").addEventListener("change", ({ target }) => {
    state.sort = "";
    sortBy(columns().find((column) => column.key === target.value));
  });
  at("turn").addEventListener("click", () => sortBy(columns().find((column) => column.key === state.sort)));

  // A browser that goes back to the page keeps what was chosen.
  state.view = Number(at("view").value);
  state.level = Number(at("level")?.value ?? 0);
  state.yardstick = at("yardstick")?.value ?? "";
  state.sort = columns().some((column) => column.key === "front") ? "front" : "name";
  state.down = state.sort === "front";
  drawAll();

  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(drawFrontier, 120);
  });
})();
