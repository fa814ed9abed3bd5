// What there is to see: the model's shapes on their bodies, light, and a sky.
"use strict";

const NIGHT = { horizon: [0.165, 0.192, 0.231], zenith: [0.051, 0.063, 0.078] }; // where the model has no sky

// Builds the scene; `groups` are its bodies, `sun` follows what the camera looks at, `changes` change shapes by step.
function buildScene(recording, renderer) {
  const { about } = recording;
  const { distance, azimuth } = about.camera;
  const scene = new THREE.Scene();
  const groups = about.rest.map(([x, y, z, qw, qx, qy, qz]) => {
    const group = new THREE.Group();
    group.position.set(x, y, z);
    group.quaternion.set(qx, qy, qz, qw);
    scene.add(group);
    return group;
  });
  const meshes = about.meshes.map((mesh) => meshGeometry(recording, mesh));
  const planes = about.shapes.filter(({ shape }) => shape === "plane");
  const ground = planes.length === 1 ? planes[0] : null;
  const makers = { materials: new Map(), textures: new Map(), meshes, recording, renderer, distance, ground };
  const shapes = about.shapes.map((shape) => buildShape(shape, makers));
  shapes.forEach((mesh, index) => groups[about.shapes[index].body].add(mesh));
  const changes = about.changes.map((change) => changeOf(shapes[change.shape], change, recording));
  const [horizon, zenith] = ["horizon", "zenith"].map((name) => colourOf((about.sky ?? NIGHT)[name]));
  scene.fog = new THREE.Fog(horizon, 2.5 * distance, 12 * distance);
  scene.add(sky(distance, horizon, zenith));
  scene.add(new THREE.HemisphereLight("#e3ebf7", "#7d746a", 2.1));
  scene.add(light("#bfd4ff", 0.6, azimuth + 40, 0.5), light("#ffe2c4", 0.3, azimuth + 110, 0.3));
  const sun = sunlight(distance, azimuth);
  scene.add(sun, sun.target);
  return { scene, groups, sun, changes };
}

function buildShape(shape, makers) {
  const mesh = new THREE.Mesh(geometry(shape, makers), material(shape, makers));
  const [x, y, z] = shape.position;
  const [qw, qx, qy, qz] = shape.quaternion;
  mesh.position.set(x, y, z);
  mesh.quaternion.set(qx, qy, qz, qw);
  mesh.castShadow = shape.shadow && shape.shape !== "plane" && shape.rgba[3] === 1;
  mesh.receiveShadow = true;
  return mesh;
}

// Returns a function of the control step that gives a shape the size, place and colour it has then.
function changeOf(mesh, change, recording) {
  const [scale, position, rgba] = [change.scale, change.position, change.rgba].map((at) => at && recording.array(at));
  if (rgba) mesh.material = mesh.material.clone();
  return (step) => {
    if (scale) mesh.scale.fromArray(scale, 3 * step);
    if (position) mesh.position.fromArray(position, 3 * step);
    if (rgba) {
      const [r, g, b, opacity] = rgba.subarray(4 * step, 4 * step + 4);
      Object.assign(mesh.material, { transparent: opacity < 1, opacity });
      mesh.material.color.setRGB(r, g, b, THREE.SRGBColorSpace);
    }
  };
}

function colourOf([r, g, b]) {
  return new THREE.Color().setRGB(r, g, b, THREE.SRGBColorSpace);
}

function geometry(shape, { meshes, distance, ground }) {
  const [x, y, z] = shape.size;
  switch (shape.shape) {
    case "plane":
      return planeGeometry(shape, distance, shape === ground);
    case "sphere":
      return new THREE.SphereGeometry(x, 40, 24);
    case "ellipsoid":
      return new THREE.SphereGeometry(1, 40, 24).scale(x, y, z);
    case "capsule":
      return new THREE.CapsuleGeometry(x, 2 * z, 10, 32).rotateX(Math.PI / 2);
    case "cylinder":
      return new THREE.CylinderGeometry(x, x, 2 * z, 96).rotateX(Math.PI / 2);
    case "box":
      return new THREE.BoxGeometry(2 * x, 2 * y, 2 * z);
    default:
      return meshes[shape.mesh];
  }
}

function meshGeometry(recording, mesh) {
  const geometry = new THREE.BufferGeometry();
  for (const [name, size] of [["position", 3], ["normal", 3], ["uv", 2]]) {
    if (mesh[name]) geometry.setAttribute(name, new THREE.BufferAttribute(recording.array(mesh[name]), size));
  }
  return geometry.setIndex(new THREE.BufferAttribute(recording.array(mesh.index), 1));
}

// A plane is endless to what collides with it. A size much larger than the picture means just that, for the ground.
function planeGeometry(shape, distance, isGround) {
  const [x, y] = shape.size.map((half) => (half === 0 || (isGround && half >= 2 * distance) ? 14 * distance : half));
  const plane = new THREE.PlaneGeometry(2 * x, 2 * y);
  const [u, v] = [0, 1].map((axis) => repeatsPerMetre(shape, axis, distance));
  const { position, uv } = plane.attributes;
  for (let corner = 0; corner < position.count; corner++) {
    uv.setXY(corner, u * (shape.size[0] + position.getX(corner)), v * (shape.size[1] - position.getY(corner)));
  }
  return plane;
}

// Found by rendering with MuJoCo 4.0: a "uniform" texture is repeated `repeat` times in 2 m, another one on the plane.
function repeatsPerMetre(shape, axis, distance) {
  if (shape.texture === undefined) return 1 / (2 * squares(distance));
  return shape.repeat[axis] / (shape.uniform || shape.size[axis] === 0 ? 2 : 2 * shape.size[axis]);
}

// Returns the side in m of the squares on a plane without texture, without which nothing would seem to move.
function squares(distance) {
  return 10 ** Math.round(Math.log10(distance / 4));
}

function material(shape, makers) {
  const { rgba, tint, texture, emission, shininess } = shape;
  const isPlane = shape.shape === "plane";
  const isGround = shape === makers.ground;
  const key = JSON.stringify([rgba, tint, texture, emission, shininess, isPlane, isGround]);
  if (!makers.materials.has(key)) {
    const [r, g, b] = rgba.map((value, index) => value * (tint?.[index] ?? 1));
    const made = new THREE.MeshStandardMaterial({ roughness: isPlane ? 1 : 0.9 - 0.6 * shininess });
    made.color.setRGB(r, g, b, THREE.SRGBColorSpace);
    if (emission > 0) made.emissive.copy(made.color).multiplyScalar(emission);
    if (texture !== undefined || isGround) made.map = flatTexture(texture, makers);
    // What lies flat on a plane, a millimetre above it, shall not flicker.
    if (isPlane) Object.assign(made, { polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 8 });
    if (rgba[3] < 1) Object.assign(made, { transparent: true, opacity: rgba[3], depthWrite: false });
    makers.materials.set(key, made);
  }
  return makers.materials.get(key);
}

// Returns a texture of the model, or for `undefined` faint squares.
function flatTexture(index, { textures, recording, renderer }) {
  if (!textures.has(index)) {
    const { width, height, rgba } =
      index === undefined ? faintSquares() : recording.about.textures[index];
    const texture = new THREE.DataTexture(index === undefined ? rgba : recording.array(rgba), width, height);
    texture.colorSpace = THREE.SRGBColorSpace;
    texture.wrapS = texture.wrapT = THREE.RepeatWrapping;
    texture.magFilter = THREE.LinearFilter;
    texture.minFilter = THREE.LinearMipmapLinearFilter;
    texture.generateMipmaps = true;
    texture.anisotropy = renderer.capabilities.getMaxAnisotropy();
    texture.needsUpdate = true;
    textures.set(index, texture);
  }
  return textures.get(index);
}

function faintSquares() {
  const width = 128;
  const rgba = new Uint8Array(4 * width * width);
  for (let pixel = 0; pixel < width * width; pixel++) {
    const odd = (pixel % width < width / 2) !== (pixel < (width * width) / 2);
    rgba.fill(odd ? 255 : 238, 4 * pixel, 4 * pixel + 3);
    rgba[4 * pixel + 3] = 255;
  }
  return { width, height: width, rgba };
}

// The sky: at the horizon of the colour in which the floor is lost.
function sky(distance, horizon, zenith) {
  const dome = new THREE.SphereGeometry(30 * distance, 32, 64).rotateX(Math.PI / 2);
  const { position } = dome.attributes;
  const colours = new Float32Array(3 * position.count);
  for (let corner = 0; corner < position.count; corner++) {
    const up = Math.max(position.getZ(corner) / (30 * distance), 0);
    horizon.clone().lerp(zenith, Math.min(2 * up, 1)).toArray(colours, 3 * corner);
  }
  dome.setAttribute("color", new THREE.BufferAttribute(colours, 3));
  return new THREE.Mesh(dome, new THREE.MeshBasicMaterial({ side: THREE.BackSide, vertexColors: true, fog: false }));
}

// Returns a light from the direction `azimuth` in degrees, `height` above a way of 1 along the ground.
function light(colour, strength, azimuth, height) {
  const made = new THREE.DirectionalLight(colour, strength);
  const turn = (azimuth * Math.PI) / 180;
  made.position.set(Math.cos(turn), Math.sin(turn), height);
  return made;
}

// Returns the light that casts shadows, from behind the first camera's left shoulder.
function sunlight(distance, azimuth) {
  const sun = light("#fff3e4", 2.3, azimuth + 180 - 38, 1.05);
  sun.userData.offset = sun.position.clone().multiplyScalar(1.5 * distance);
  sun.castShadow = true;
  sun.shadow.mapSize.setScalar(2048);
  sun.shadow.radius = 3;
  sun.shadow.bias = -0.0005;
  sun.shadow.normalBias = 0.004 * distance;
  const reach = 1.2 * distance;
  Object.assign(sun.shadow.camera, { left: -reach, right: reach, top: reach, bottom: -reach, far: 6 * distance });
  return sun;
}
