// Plays the recording: time, buttons, keyboard, and a picture for every moment.
"use strict";

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];
const PAUSE = 1; // s for which an episode's last picture stays
const LEAP = 1; // s that an arrow key goes
const SHARPEST = 2.5; // pixels drawn across one of the page; more would not be seen
const SLOW = 0.045; // s for a picture, above which pictures become less sharp

const byId = (id) => document.getElementById(id);

class Player {
  constructor(recording) {
    this.recording = recording;
    this.canvas = byId("view");
    this.renderer = new THREE.WebGLRenderer({ canvas: this.canvas, antialias: true, powerPreference: "high-performance" });
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = THREE.PCFShadowMap;
    Object.assign(this, buildScene(recording, this.renderer));
    this.rig = new Rig(this.canvas, recording, this.groups);
    this.captions = new Captions(recording);
    Object.assign(this, { episode: 0, time: 0, speed: 1, playing: false, ended: 0, lag: 0, drawn: "" });
    this.fillControls();
    this.listen();
    this.resize();
    this.rig.reset(0, 0);
    this.choose(0);
    this.follow(FILM);
  }

  fillControls() {
    const episodes = this.recording.episodes.map((_, index) => new Option(`${index + 1} of ${this.recording.episodes.length}`, index));
    byId("episodes").querySelector("select").append(...episodes);
    byId("episodes").hidden = episodes.length < 2;
    byId("speed").append(...SPEEDS.map((speed) => new Option(`${speed}×`, speed, speed === 1, speed === 1)));
    byId("follow").hidden = this.recording.about.camera.still;
    byId("controls").hidden = false;
  }

  listen() {
    byId("play").onclick = () => this.play(!this.playing);
    byId("time").oninput = () => this.seek(Number(byId("time").value));
    byId("speed").onchange = () => (this.speed = Number(byId("speed").value));
    byId("episodes").onchange = (event) => this.choose(Number(event.target.value));
    byId("follow").onclick = () => this.follow(this.rig.followed === FILM ? null : FILM);
    byId("reset").onclick = () => this.follow(FILM);
    for (const button of document.querySelectorAll("#players button")) {
      button.onclick = () => this.follow(this.rig.followed === this.bodyOf(button) ? FILM : this.bodyOf(button));
    }
    window.onkeydown = (event) => this.press(event);
    window.onresize = () => this.resize();
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = this.recording.about.control_dt;
    const actions = {
      " ": () => this.play(!this.playing),
      ArrowLeft: () => this.seek(this.time - (event.shiftKey ? step : LEAP)),
      ArrowRight: () => this.seek(this.time + (event.shiftKey ? step : LEAP)),
      ArrowUp: () => this.changeSpeed(1),
      ArrowDown: () => this.changeSpeed(-1),
      Home: () => this.seek(0),
      End: () => this.seek(this.duration),
      PageUp: () => this.choose(this.episode - 1),
      PageDown: () => this.choose(this.episode + 1),
      f: () => byId("follow").click(),
      r: () => byId("reset").click(),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault(); // the timeline and the lists have uses of their own for arrows
    action();
  }

  get duration() {
    return this.recording.episodes[this.episode].duration;
  }

  play(playing) {
    this.playing = playing;
    if (playing && this.time >= this.duration) this.seek(0);
    byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    byId("play").classList.toggle("playing", playing);
    byId("play").querySelector("path").setAttribute("d", playing ? "M6 4.5h4v15H6zM14 4.5h4v15h-4z" : "M7 4.5v15l12-7.5z");
  }

  seek(time) {
    this.time = Math.min(Math.max(time, 0), this.duration);
    this.ended = 0;
    this.poseBodies();
    this.rig.update(this.episode, this.time, Infinity);
  }

  // Shows an episode from its start; after the last comes the first.
  choose(episode) {
    const count = this.recording.episodes.length;
    this.episode = (episode + count) % count;
    byId("episodes").querySelector("select").value = this.episode;
    byId("time").max = this.duration;
    this.captions.plot(byId("plot"), this.episode);
    this.seek(0);
  }

  changeSpeed(by) {
    const index = SPEEDS.indexOf(this.speed) + by;
    this.speed = SPEEDS[Math.min(Math.max(index, 0), SPEEDS.length - 1)];
    byId("speed").value = this.speed;
  }

  bodyOf(button) {
    return this.captions.players[button.dataset.seat].body;
  }

  // Lets the camera follow FILM, a body, or nothing for null.
  follow(whom) {
    this.rig.follow(whom, this.episode, this.time);
    byId("follow").setAttribute("aria-pressed", whom === FILM);
    for (const button of document.querySelectorAll("#players button")) {
      button.setAttribute("aria-pressed", whom !== null && whom === this.bodyOf(button));
    }
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.sharpness = Math.min(window.devicePixelRatio, SHARPEST);
    this.renderer.setPixelRatio(this.sharpness);
    this.renderer.setSize(width, height, false);
    this.rig.resize(width, height, byId("controls").offsetHeight);
    this.captions.plot(byId("plot"), this.episode);
    this.drawn = "";
  }

  // Goes on by `seconds` of the clock on the wall.
  advance(seconds) {
    if (!this.playing) return;
    this.time = Math.min(this.time + seconds * this.speed, this.duration);
    this.ended = this.time < this.duration ? 0 : this.ended + seconds;
    if (this.ended > PAUSE) this.choose(this.episode + 1);
  }

  // Draws fewer pixels where the machine is too slow for this many.
  easeOff(seconds) {
    this.lag = this.playing ? 0.95 * this.lag + 0.05 * seconds : 0;
    if (this.lag < SLOW || this.sharpness < 1) return;
    this.sharpness *= 0.75;
    this.renderer.setPixelRatio(this.sharpness);
    this.lag = 0;
  }

  poseBodies() {
    this.recording.pose(this.episode, this.time, this.groups);
    const step = this.recording.step(this.episode, this.time);
    for (const change of this.changes) change(step);
  }

  // Draws the present moment, unless it has been drawn as it is.
  draw(seconds) {
    this.poseBodies();
    this.rig.update(this.episode, this.time, seconds);
    const { camera, controls } = this.rig;
    const state = JSON.stringify([this.episode, this.time, camera.position, camera.quaternion]);
    if (state === this.drawn) return;
    this.drawn = state;
    this.sun.target.position.copy(controls.target).setZ(0);
    this.sun.position.copy(this.sun.target.position).add(this.sun.userData.offset);
    this.captions.show(this.episode, this.recording.step(this.episode, this.time));
    this.showTime();
    this.renderer.render(this.scene, camera);
  }

  showTime() {
    write(byId("clock"), `${this.time.toFixed(2)} / ${this.duration.toFixed(2)} s`);
    byId("time").value = this.time;
    byId("controls").style.setProperty("--played", this.time / this.duration);
  }
}

async function begin() {
  try {
    const recording = await Recording.read();
    const player = new Player(recording);
    let before = performance.now();
    player.renderer.setAnimationLoop((now) => {
      const seconds = Math.min((now - before) / 1000, 0.25); // a page that was hidden does not leap
      before = now;
      player.easeOff(seconds);
      player.advance(seconds);
      player.draw(seconds);
    });
    byId("message").hidden = true;
    player.play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  } catch (error) {
    byId("message").textContent = `This page needs a browser of 2023 or later with WebGL (${error.message}).`;
    throw error;
  }
}

begin();
