// A small glTF viewer: reads the embedded GLB, draws it lit and textured, and lets the user turn, move and zoom.
"use strict";
(function () {
  const stage = document.getElementById("stage");
  const canvas = stage.querySelector("canvas");
  const tools = stage.querySelector(".tools");
  const label = stage.querySelector(".name");
  const gl = canvas.getContext("webgl", { antialias: true, preserveDrawingBuffer: true });
  if (!gl || !gl.getExtension("OES_element_index_uint")) {
    const image = new Image();
    image.className = "fallback";
    image.alt = "the twin";
    image.src = document.getElementById("poster").textContent;
    canvas.replaceWith(image);
    tools.remove();
    stage.querySelector(".hint").textContent = "this browser offers no WebGL: a still picture";
    return;
  }

  const VERTEX = `
    attribute vec3 position, normal; attribute vec2 uv; attribute vec4 color;
    uniform mat4 view, projection; uniform vec3 eye;
    varying vec3 n, toEye; varying vec2 t; varying vec4 c;
    void main() { n = normal; t = uv; c = color; toEye = eye - position; gl_Position = projection * view * vec4(position, 1.0); }`;
  const FRAGMENT = `
    precision mediump float;
    varying vec3 n, toEye; varying vec2 t; varying vec4 c;
    uniform sampler2D image; uniform bool textured, lit; uniform vec4 base; uniform float glow;
    vec3 toSrgb(vec3 x) { return mix(12.92 * x, 1.055 * pow(max(x, 0.0), vec3(1.0 / 2.4)) - 0.055, step(0.0031308, x)); }
    vec3 toLinear(vec3 x) { return mix(x / 12.92, pow((x + 0.055) / 1.055, vec3(2.4)), step(0.04045, x)); }
    void main() {
      vec3 albedo = textured ? toLinear(texture2D(image, t).rgb) : base.rgb * c.rgb;
      vec3 m = normalize(n); if (dot(m, toEye) < 0.0) m = -m;
      float light = 1.0;
      if (lit) light = 0.62 * max(dot(m, normalize(vec3(0.35, 0.82, 0.45))), 0.0) + 0.48 * mix(0.55, 1.0, 0.5 + 0.5 * m.y) + 0.12 * max(dot(m, normalize(toEye)), 0.0);
      gl_FragColor = vec4(toSrgb(albedo * light + glow), base.a);
    }`;

  function decode(text) {
    const raw = atob(text), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return bytes.buffer;
  }

  function parse(buffer) {
    const view = new DataView(buffer), size = view.getUint32(12, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, size)));
    return { head: head, start: 20 + size + 8, buffer: buffer };
  }

  const KINDS = { 5126: Float32Array, 5125: Uint32Array, 5121: Uint8Array };
  const WIDTHS = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 };
  function values(file, index) {
    const accessor = file.head.accessors[index], part = file.head.bufferViews[accessor.bufferView];
    return new KINDS[accessor.componentType](file.buffer, file.start + part.byteOffset, accessor.count * WIDTHS[accessor.type]);
  }

  function compile() {
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    ["position", "normal", "uv", "color"].forEach((name, place) => gl.bindAttribLocation(program, place, name));
    gl.linkProgram(program);
    gl.useProgram(program);
    return program;
  }

  function upload(target, data) {
    const buffer = gl.createBuffer();
    gl.bindBuffer(target, buffer);
    gl.bufferData(target, data, gl.STATIC_DRAW);
    return buffer;
  }

  function texture(file, index) {
    const made = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, made);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 1, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, new Uint8Array([190, 190, 195]));
    const part = file.head.bufferViews[file.head.images[file.head.textures[index].source].bufferView];
    const blob = new Blob([new Uint8Array(file.buffer, file.start + part.byteOffset, part.byteLength)], { type: "image/jpeg" });
    const image = new Image();
    image.onload = function () {
      gl.bindTexture(gl.TEXTURE_2D, made);
      const side = Math.min(gl.getParameter(gl.MAX_TEXTURE_SIZE), 2048), square = document.createElement("canvas");
      const fit = (length) => Math.min(side, Math.pow(2, Math.round(Math.log2(length))));
      square.width = fit(image.width); square.height = fit(image.height);
      square.getContext("2d").drawImage(image, 0, 0, square.width, square.height);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, square);
      gl.generateMipmap(gl.TEXTURE_2D);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
      URL.revokeObjectURL(image.src);
      draw();
    };
    image.src = URL.createObjectURL(blob);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    return made;
  }

  function load(file) {
    return file.head.nodes.map(function (node) {
      const primitive = file.head.meshes[node.mesh].primitives[0], at = primitive.attributes;
      const surface = file.head.materials[primitive.material].pbrMetallicRoughness;
      const indices = values(file, primitive.indices), box = file.head.accessors[at.POSITION];
      return {
        name: node.name, group: node.extras.group, low: box.min, high: box.max, count: indices.length,
        position: upload(gl.ARRAY_BUFFER, values(file, at.POSITION)),
        normal: upload(gl.ARRAY_BUFFER, values(file, at.NORMAL)),
        uv: at.TEXCOORD_0 === undefined ? null : upload(gl.ARRAY_BUFFER, values(file, at.TEXCOORD_0)),
        color: at.COLOR_0 === undefined ? null : upload(gl.ARRAY_BUFFER, values(file, at.COLOR_0)),
        indices: upload(gl.ELEMENT_ARRAY_BUFFER, indices),
        texture: surface.baseColorTexture ? texture(file, surface.baseColorTexture.index) : null,
        base: surface.baseColorFactor || [1, 1, 1, 1],
      };
    });
  }

  const program = compile();
  const spot = {};
  ["view", "projection", "eye", "image", "textured", "lit", "base", "glow"].forEach((name) => (spot[name] = gl.getUniformLocation(program, name)));
  const parts = load(parse(decode(document.getElementById("model").textContent)));
  const objects = new Set(Array.from(document.querySelectorAll("tr.pick"), (row) => row.dataset.name));
  const camera = { target: [0, 0, 0], distance: 1, yaw: 0.7, pitch: 0.45, reach: 1 };
  const shown = { visual: true, collision: false, lit: true, picked: null, turning: true };

  function frame(names) {
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (const part of parts) {
      if (part.group !== "visual" || (names.size && !names.has(part.name))) continue;
      for (let k = 0; k < 3; k++) { low[k] = Math.min(low[k], part.low[k]); high[k] = Math.max(high[k], part.high[k]); }
    }
    if (!isFinite(low[0])) return;
    camera.target = low.map((value, k) => (value + high[k]) / 2);
    camera.reach = Math.max(0.02, Math.hypot(high[0] - low[0], high[1] - low[1], high[2] - low[2]) / 2);
    camera.distance = 2.1 * camera.reach;
  }

  function eyeOf() {
    const flat = Math.cos(camera.pitch) * camera.distance;
    return [camera.target[0] + flat * Math.sin(camera.yaw), camera.target[1] + camera.distance * Math.sin(camera.pitch), camera.target[2] + flat * Math.cos(camera.yaw)];
  }
  const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const unit = (a) => { const size = Math.hypot(a[0], a[1], a[2]) || 1; return a.map((value) => value / size); };
  function axes(eye) {
    const back = unit(minus(eye, camera.target)), right = unit(cross([0, 1, 0], back));
    return [right, cross(back, right), back];
  }

  function bind(place, buffer, width, kind, fixed) {
    if (!buffer) { gl.disableVertexAttribArray(place); gl.vertexAttrib4fv(place, fixed); return; }
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, width, kind, kind === gl.UNSIGNED_BYTE, 0, 0);
  }

  function paint(part, alpha) {
    bind(0, part.position, 3, gl.FLOAT, [0, 0, 0, 1]);
    bind(1, part.normal, 3, gl.FLOAT, [0, 1, 0, 0]);
    bind(2, part.uv, 2, gl.FLOAT, [0, 0, 0, 0]);
    bind(3, part.color, 4, gl.UNSIGNED_BYTE, [1, 1, 1, 1]);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, part.indices);
    gl.bindTexture(gl.TEXTURE_2D, part.texture);
    gl.uniform1i(spot.textured, part.texture ? 1 : 0);
    gl.uniform1i(spot.lit, shown.lit || part.group === "collision" ? 1 : 0);
    gl.uniform4f(spot.base, part.base[0], part.base[1], part.base[2], alpha);
    gl.uniform1f(spot.glow, part.name === shown.picked ? 0.06 : 0);
    gl.drawElements(gl.TRIANGLES, part.count, gl.UNSIGNED_INT, 0);
  }

  let waiting = false;
  function draw() { if (!waiting) { waiting = true; requestAnimationFrame(now); } }
  function now() {
    waiting = false;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    if (shown.turning) camera.yaw += 0.0025;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    const eye = eyeOf(), [right, up, back] = axes(eye);
    const near = camera.distance / 50, far = camera.distance + 60, focal = 1.9, aspect = width / Math.max(height, 1);
    const wide = aspect < 1 ? aspect : 1;
    gl.uniformMatrix4fv(spot.view, false, [right[0], up[0], back[0], 0, right[1], up[1], back[1], 0, right[2], up[2], back[2], 0, -dot(right, eye), -dot(up, eye), -dot(back, eye), 1]);
    gl.uniformMatrix4fv(spot.projection, false, [focal * wide / aspect, 0, 0, 0, 0, focal * wide, 0, 0, 0, 0, -(far + near) / (far - near), -1, 0, 0, -2 * far * near / (far - near), 0]);
    gl.uniform3fv(spot.eye, eye);
    gl.disable(gl.BLEND);
    for (const part of parts) if (part.group === "visual" && (shown.visual || !objects.has(part.name))) paint(part, 1);
    if (shown.collision) {
      gl.enable(gl.POLYGON_OFFSET_FILL);
      gl.polygonOffset(-1, -1);
      if (shown.visual) { gl.enable(gl.BLEND); gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE_MINUS_SRC_ALPHA); gl.depthMask(false); }
      for (const part of parts) if (part.group === "collision") paint(part, shown.visual ? 0.45 : 1);
      gl.depthMask(true);
      gl.disable(gl.POLYGON_OFFSET_FILL);
    }
    if (shown.turning) draw();
  }

  function tool(text, pressed, act) {
    const button = document.createElement("button");
    button.textContent = text;
    button.setAttribute("aria-pressed", pressed());
    button.onclick = function () { act(); tools.querySelectorAll("button").forEach((one) => one.refresh()); draw(); };
    button.refresh = () => button.setAttribute("aria-pressed", pressed());
    tools.append(button);
  }
  const show = (visual, collision) => () => { shown.visual = visual; shown.collision = collision; };
  tool("twin", () => shown.visual && !shown.collision, show(true, false));
  tool("collision pieces", () => !shown.visual && shown.collision, show(false, true));
  tool("both", () => shown.visual && shown.collision, show(true, true));
  tool("light", () => shown.lit, () => { shown.lit = !shown.lit; });
  tool("all objects", () => false, () => { pick(null); frame(objects); });
  tool("whole scene", () => false, () => { pick(null); frame(new Set()); });

  function pick(name) {
    shown.picked = name;
    label.textContent = name || "";
  }
  document.querySelectorAll("tr.pick").forEach(function (row) {
    row.onclick = function () {
      pick(row.dataset.name);
      frame(new Set([row.dataset.name]));
      camera.distance *= 1.3;
      stage.scrollIntoView({ behavior: "smooth", block: "center" });
      draw();
    };
  });

  function turn(dx, dy) {
    camera.yaw -= dx * 0.008;
    camera.pitch = Math.max(-1.5, Math.min(1.5, camera.pitch + dy * 0.008));
  }
  function slide(dx, dy) {
    const [right, up] = axes(eyeOf()), scale = camera.distance / canvas.clientHeight;
    camera.target = camera.target.map((value, k) => value + (up[k] * dy - right[k] * dx) * scale);
  }
  const zoom = (factor) => { camera.distance = Math.max(camera.reach / 20, Math.min(40, camera.distance * factor)); };

  const held = new Map();
  canvas.oncontextmenu = (event) => event.preventDefault();
  canvas.onpointerdown = function (event) { canvas.setPointerCapture(event.pointerId); held.set(event.pointerId, event); shown.turning = false; };
  canvas.onpointerup = canvas.onpointercancel = (event) => held.delete(event.pointerId);
  canvas.onpointermove = function (event) {
    const before = held.get(event.pointerId);
    if (!before) return;
    const dx = event.clientX - before.clientX, dy = event.clientY - before.clientY;
    if (held.size === 2) {
      const other = Array.from(held.values()).find((one) => one.pointerId !== event.pointerId);
      const gap = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
      zoom(gap(before) / gap(event));
      slide(dx / 2, dy / 2);
    } else if (event.shiftKey || (event.buttons & 6)) slide(dx, dy);
    else turn(dx, dy);
    held.set(event.pointerId, event);
    draw();
  };
  canvas.addEventListener("wheel", function (event) { event.preventDefault(); shown.turning = false; zoom(Math.exp(event.deltaY * 0.0012)); draw(); }, { passive: false });
  window.addEventListener("resize", draw);

  frame(objects);
  if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) shown.turning = false;
  draw();
})();
