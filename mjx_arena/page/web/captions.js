// What is told beside the picture: players, returns, reward terms, measures, and keys held.
"use strict";

const WINDOW = 0.25; // s, over which a bar shows the mean
const NEUTRAL = "#aeb6c2";

class Captions {
  constructor(recording) {
    this.recording = recording;
    this.about = recording.about;
    this.players = this.about.players ?? [];
    this.colours = this.players.map(({ colour }) => cssColour(colour));
    this.episodes = (this.about.captions ?? []).map((episode) => this.read(episode));
    document.getElementById("title").textContent = this.about.title.replaceAll("_", " ");
    document.getElementById("match").hidden = this.episodes.length === 0;
    if (this.episodes.length === 0) return;
    this.outputs = this.players.map((player, seat) => this.addPlayer(player, seat));
    this.digits = digitsFor(this.episodes.flatMap(({ returns }) => returns.flatMap((sums) => [...sums])));
    this.rows = [...this.about.terms, ...this.about.measures].map((name) => this.addRow(name));
    this.keys = this.about.keys.map((name) => addTo("keys", "kbd", name));
    document.getElementById("keys").hidden = this.keys.length === 0;
    document.getElementById("rewards").hidden = this.rows.length === 0;
    if (this.players.length > 1) document.getElementById("of").textContent = "mean of the players";
    document.querySelector("#rewards details").open = window.innerWidth > 640;
    this.largest = this.largestRate();
  }

  // Returns the arrays of an episode, with sums from its start: `returns[seat][step]`, `sums[name][step]`.
  read({ reward, metrics, held, points }) {
    const agents = this.players.length;
    const paid = this.recording.array(reward);
    const values = Object.fromEntries(Object.entries(metrics).map(([name, at]) => [name, this.recording.array(at)]));
    const sums = Object.fromEntries(this.about.terms.map((name) => [name, runningSum(values[name])]));
    const returns = this.players.map((_, seat) => runningSum(paid.filter((_, index) => index % agents === seat)));
    const scored = points ? this.recording.array(points) : null;
    return { values, sums, returns, scored, held: held.map((at) => this.recording.array(at)) };
  }

  addPlayer({ seat, name, body }, index) {
    const player = addTo("players", "li");
    const button = player.appendChild(document.createElement("button"));
    button.disabled = body === null;
    button.title = body === null ? "" : `Follow ${seat}`;
    button.dataset.seat = index;
    for (const part of ["i", "b", "span", "strong", "output"]) button.appendChild(document.createElement(part));
    const [dot, label, who, points, sum] = button.children;
    points.title = "points";
    points.hidden = !this.episodes[0].scored;
    dot.style.background = this.colours[index];
    label.textContent = this.players.length > 1 ? seat : "";
    who.textContent = name;
    return { points, sum };
  }

  addRow(name) {
    const row = document.querySelector("#rewards tbody").insertRow();
    const isTerm = this.about.terms.includes(name);
    row.insertCell().textContent = name.replace(/^[^/]*\//, "").replaceAll("_", " ");
    const bar = row.insertCell();
    const number = row.insertCell();
    if (!isTerm) row.className = "measure";
    const digits = isTerm ? digitsFor(this.episodes.flatMap(({ sums }) => [...sums[name]])) : 2;
    return { name, isTerm, bar: isTerm ? bar.appendChild(document.createElement("i")) : null, number, digits };
  }

  // Returns the mean of a term over the last moments before `step`.
  rate(episode, name, step) {
    const sums = this.episodes[episode].sums[name];
    const steps = Math.min(Math.max(1, Math.round(WINDOW / this.about.control_dt)), Math.max(step, 1));
    return step === 0 ? sums[0] : (sums[step] - sums[step - steps]) / steps;
  }

  // Returns the rate of a full bar: nine tenths of what is shown stay below it.
  largestRate() {
    const rates = this.episodes.flatMap(({ values }, episode) =>
      this.about.terms.flatMap((name) => Array.from(values[name], (_, step) => Math.abs(this.rate(episode, name, step)))),
    );
    const shown = rates.filter((rate) => rate > 0).sort((one, other) => one - other);
    return shown[Math.floor(0.9 * (shown.length - 1))] ?? 1;
  }

  // Shows what is known after `step` of an episode.
  show(episode, step) {
    if (this.episodes.length === 0) return;
    const { values, sums, returns, scored, held } = this.episodes[episode];
    this.outputs.forEach(({ points, sum }, seat) => {
      write(sum, signed(returns[seat][step], this.digits));
      if (scored) write(points, String(scored[step * this.players.length + seat]));
    });
    this.keys.forEach((key, index) => key.classList.toggle("held", held[index][step] > 0));
    for (const { name, isTerm, bar, number, digits } of this.rows) {
      write(number, isTerm ? signed(sums[name][step], digits) : plain(values[name][step]));
      if (isTerm) drawBar(bar, this.rate(episode, name, step) / this.largest);
    }
  }

  // Draws the returns of an episode over its time, the players in their colours.
  plot(canvas, episode) {
    const { clientWidth: width, clientHeight: height } = canvas;
    const sharp = window.devicePixelRatio;
    Object.assign(canvas, { width: width * sharp, height: height * sharp });
    if (this.episodes.length === 0) return;
    const { returns } = this.episodes[episode];
    const extremes = returns.map((sums) => sums.reduce(([low, high], sum) => [Math.min(low, sum), Math.max(high, sum)], [0, 0]));
    const low = Math.min(...extremes.map(([lowest]) => lowest));
    const high = Math.max(...extremes.map(([, highest]) => highest), low + 1e-9);
    const pen = canvas.getContext("2d");
    pen.scale(sharp, sharp);
    returns.forEach((sums, seat) => {
      pen.beginPath();
      sums.forEach((sum, step) =>
        pen.lineTo((width * step) / (sums.length - 1), 1.5 + ((height - 3) * (high - sum)) / (high - low)),
      );
      Object.assign(pen, { strokeStyle: this.colours[seat], lineWidth: 1.5, lineJoin: "round", globalAlpha: 0.8 });
      pen.stroke();
    });
  }
}

function runningSum(values) {
  let sum = 0;
  return Float64Array.from(values, (value) => (sum += value));
}

function addTo(id, tag, text = "") {
  const element = document.getElementById(id).appendChild(document.createElement(tag));
  element.textContent = text;
  return element;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Draws a share of a full bar, from -1 to 1. Its root, since terms differ by orders of magnitude.
function drawBar(bar, share) {
  const length = 50 * Math.sqrt(Math.min(Math.abs(share), 1));
  bar.style.left = `${share < 0 ? 50 - length : 50}%`;
  bar.style.width = `${length}%`;
  bar.className = share < 0 ? "loss" : "gain";
}

// Returns how many digits behind the point show the largest of `values` in three places, and one at least.
function digitsFor(values) {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return Math.min(Math.max(2 - Math.floor(Math.log10(largest || 1)), 1), 3);
}

function signed(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? "−" : "+") + text;
}

function plain(value) {
  return value.toFixed(Number.isInteger(value) ? 0 : 2).replace("-", "−");
}

// Returns a player's colour, bright enough to be read on the dark page.
function cssColour(colour) {
  if (!colour) return NEUTRAL;
  const lifted = colour.map((value) => Math.round(255 * (0.25 + 0.75 * value)));
  return `rgb(${lifted.join(" ")})`;
}
