// The recording that this page holds: its arrays, and where the bodies are at any time.
"use strict";

class Recording {
  // Reads the page's own data. `about` is what mjx_arena/page/write.py put together.
  static async read() {
    const about = JSON.parse(document.getElementById("recording").textContent);
    const packed = atob(document.getElementById("arrays").textContent.trim());
    const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Recording(about, await new Response(unpacked).arrayBuffer());
  }

  constructor(about, buffer) {
    this.about = about;
    this.buffer = buffer;
    this.frameTime = about.control_dt / about.frames_per_step;
    this.episodes = about.episodes.map((episode) => this.unpack(episode));
  }

  // Returns the array that Blob.add of mjx_arena/page/blob.py put at `place`.
  array({ kind, at, length }) {
    return new globalThis[kind](this.buffer, at, length);
  }

  unpack(episode) {
    const unpacked = { steps: episode.steps, duration: episode.steps * this.about.control_dt };
    const names = ["position", "low", "high", "quaternion", "jumps", "shots"];
    for (const name of names) unpacked[name] = this.array(episode[name]);
    return unpacked;
  }

  // Returns the last control step that had begun at `time` in an episode.
  step(episode, time) {
    const { steps } = this.episodes[episode];
    return Math.min(Math.floor(time / this.about.control_dt + 1e-6), steps);
  }

  // Returns the frames around `time` in an episode, and the share of the way from the first to the second.
  frames(episode, time) {
    const last = this.episodes[episode].steps * this.about.frames_per_step;
    const exact = Math.min(Math.max(time / this.frameTime, 0), last);
    const before = Math.min(Math.floor(exact + 1e-6), last);
    return { before, after: Math.min(before + 1, last), share: Math.max(exact - before, 0) };
  }

  // Puts `groups`, by body, where the bodies are at `time` in an episode: on the straight way between two frames.
  pose(episode, time, groups) {
    const { moving } = this.about;
    const { jumps } = this.episodes[episode];
    const { before, after, share } = this.frames(episode, time);
    moving.forEach((body, index) => {
      const part = jumps[after * moving.length + index] ? 0 : share;
      const { position, quaternion } = groups[body];
      this.place(episode, before, index, position, quaternion);
      this.place(episode, after, index, Recording.position, Recording.quaternion);
      position.lerp(Recording.position, part);
      quaternion.slerp(Recording.quaternion, part);
    });
  }

  // Sets `position` and `quaternion` to those of a moving body in a frame.
  place(episode, frame, index, position, quaternion) {
    const { low, high, position: place, quaternion: turn } = this.episodes[episode];
    const row = frame * this.about.moving.length + index;
    const axis = (k) => low[3 * index + k] + ((high[3 * index + k] - low[3 * index + k]) * place[3 * row + k]) / 65535;
    position.set(axis(0), axis(1), axis(2));
    quaternion.set(turn[4 * row + 1], turn[4 * row + 2], turn[4 * row + 3], turn[4 * row]).normalize();
  }

  // Returns the shot of the film's camera at `time` in an episode.
  shot(episode, time) {
    const { shots } = this.episodes[episode];
    const { before, after, share } = this.frames(episode, time);
    const [x, y, z, distance, azimuth, elevation] = Array.from({ length: 6 }, (_, index) => {
      const start = shots[6 * before + index];
      return start + share * (shots[6 * after + index] - start);
    });
    return { lookat: new THREE.Vector3(x, y, z), distance, azimuth, elevation };
  }
}
Recording.position = new THREE.Vector3();
Recording.quaternion = new THREE.Quaternion();
