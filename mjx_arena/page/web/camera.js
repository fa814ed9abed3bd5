// The camera: where it looks at first, how a hand moves it, and how it follows bodies.
"use strict";

const LOWEST = 0.75; // m, what the camera looks at when bodies stand on the ground
const ABOVE = 1; // m, by how much a body may be above that before the camera looks up
const GLIDE = 0.12; // s in which the camera catches up

class Rig {
  constructor(canvas, recording, groups) {
    this.recording = recording;
    this.groups = groups;
    this.about = recording.about.camera;
    const { distance, fovy, lookat } = this.about;
    this.camera = new THREE.PerspectiveCamera(fovy, 1, distance / 50, 60 * distance);
    this.camera.up.set(0, 0, 1);
    this.controls = new THREE.OrbitControls(this.camera, canvas);
    Object.assign(this.controls, {
      enableDamping: true,
      dampingFactor: 0.12,
      screenSpacePanning: false,
      minDistance: distance / 12,
      maxDistance: 8 * distance,
      maxPolarAngle: 0.495 * Math.PI,
      zoomToCursor: false,
    });
    this.followed = lookat ? null : this.about.follow;
    this.wanted = new THREE.Vector3();
    this.seen = new THREE.Vector3(); // what is followed, as far as the camera has caught up
  }

  // Returns the point to look at, at `time` in an episode: the mean place of the bodies that are still in play.
  aim(episode, time) {
    const bodies = this.followed ?? this.about.follow;
    const inPlay = bodies.filter((body) => !this.recording.wasPut(episode, body, time));
    const counted = inPlay.length ? inPlay : bodies;
    this.wanted.set(0, 0, 0);
    for (const body of counted) this.wanted.addScaledVector(this.groups[body].position, 1 / counted.length);
    this.wanted.z = Math.max(LOWEST, this.wanted.z - ABOVE);
    return this.wanted;
  }

  // Puts the camera where the game wants it; farther away in a narrow window.
  reset(episode, time) {
    const { distance, azimuth, elevation, lookat } = this.about;
    const target = this.followed || !lookat ? this.aim(episode, time) : this.wanted.set(...lookat);
    const [turn, tilt] = [azimuth, elevation ?? (lookat ? -30 : -12)].map((angle) => (angle * Math.PI) / 180);
    const away = distance * Math.max(1, 1.15 / this.camera.aspect);
    this.controls.target.copy(target);
    this.camera.position.set(
      target.x - away * Math.cos(tilt) * Math.cos(turn),
      target.y - away * Math.cos(tilt) * Math.sin(turn),
      target.z - away * Math.sin(tilt),
    );
    this.seen.copy(target);
    this.controls.update();
  }

  // Follows bodies, or stays where it is for null.
  follow(bodies) {
    this.followed = bodies;
    this.seen.copy(this.controls.target);
  }

  // Moves the camera on by `seconds`; by Infinity it is where it should be at once.
  update(episode, time, seconds) {
    if (this.followed) {
      const way = this.aim(episode, time).sub(this.seen).multiplyScalar(1 - Math.exp(-seconds / GLIDE));
      this.seen.add(way);
      this.controls.target.add(way);
      this.camera.position.add(way);
    }
    this.controls.update();
  }

  // Fits a window of which the lowest `covered` pixels are under the controls.
  resize(width, height, covered) {
    this.camera.aspect = width / height;
    this.camera.setViewOffset(width, height, 0, covered / 2, width, height);
  }
}
