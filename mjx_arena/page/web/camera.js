// The camera: it goes where the film's camera goes, or along with one body, and a hand moves it meanwhile.
"use strict";

const FILM = "film"; // what the camera follows when it goes with the film's
const GLIDE = 0.12; // s in which the camera catches up with a body
const ABOVE = 0.4; // m, by how much a body may be above the point to look at
const FLATTEST = 0.495 * Math.PI; // rad from above; no camera looks from below the ground

class Rig {
  constructor(canvas, recording, groups) {
    this.recording = recording;
    this.groups = groups;
    const { distance, fovy } = recording.about.camera;
    this.camera = new THREE.PerspectiveCamera(fovy, 1, distance / 25, 60 * distance);
    this.camera.up.set(0, 0, 1);
    this.controls = new THREE.OrbitControls(this.camera, canvas);
    Object.assign(this.controls, {
      enableDamping: true,
      dampingFactor: 0.12,
      screenSpacePanning: false,
      minDistance: distance / 12,
      maxDistance: 8 * distance,
      maxPolarAngle: FLATTEST,
      zoomToCursor: false,
    });
    this.followed = FILM;
    this.shot = null; // the one of the film that the camera is at, moved by a hand or not
    this.around = new THREE.Spherical();
    this.way = new THREE.Vector3();
  }

  // Puts the camera where the film has it; farther away in a narrow window.
  reset(episode, time) {
    const { lookat, distance, azimuth, elevation } = (this.shot = this.recording.shot(episode, time));
    const [turn, tilt] = [azimuth, elevation].map((angle) => (angle * Math.PI) / 180);
    const away = distance * Math.max(1, 1.15 / this.camera.aspect);
    this.controls.target.copy(lookat);
    this.camera.position.set(
      lookat.x - away * Math.cos(tilt) * Math.cos(turn),
      lookat.y - away * Math.cos(tilt) * Math.sin(turn),
      lookat.z - away * Math.sin(tilt),
    );
    this.controls.update();
  }

  // Follows FILM, a body, or nothing for null.
  follow(whom, episode, time) {
    this.followed = whom;
    if (whom === FILM) this.reset(episode, time);
  }

  // Moves the camera on by `seconds`; by Infinity it is where it should be at once.
  update(episode, time, seconds) {
    if (this.followed === FILM) {
      this.goWith(this.recording.shot(episode, time));
    } else if (this.followed !== null) {
      const { x, y, z } = this.groups[this.followed].position;
      const wanted = this.way.set(x, y, Math.max(z - ABOVE, Math.min(z, this.controls.target.z)));
      this.move(wanted.sub(this.controls.target).multiplyScalar(1 - Math.exp(-seconds / GLIDE)));
    }
    this.controls.update();
  }

  // Moves, turns and zooms as the film's camera did since the last shot, which leaves what a hand has done.
  goWith(shot) {
    const { lookat, distance, azimuth, elevation } = this.shot;
    this.shot = shot;
    this.move(this.way.copy(shot.lookat).sub(lookat));
    const { camera, controls, around } = this;
    // Spherical knows angles about the y axis, and the camera turns about the z axis.
    const { x, y, z } = this.way.copy(camera.position).sub(controls.target);
    around.setFromVector3(this.way.set(y, z, x));
    around.radius *= shot.distance / distance;
    around.theta += ((shot.azimuth - azimuth) * Math.PI) / 180;
    around.phi = Math.min(around.phi + ((shot.elevation - elevation) * Math.PI) / 180, FLATTEST);
    around.makeSafe();
    const from = this.way.setFromSpherical(around);
    camera.position.set(from.z, from.x, from.y).add(controls.target);
  }

  move(way) {
    this.controls.target.add(way);
    this.camera.position.add(way);
  }

  // Fits a window of which the lowest `covered` pixels are under the controls.
  resize(width, height, covered) {
    this.camera.aspect = width / height;
    this.camera.setViewOffset(width, height, 0, covered / 2, width, height);
  }
}
