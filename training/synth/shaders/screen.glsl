// What the passes over the finished G-buffer share.
uniform sampler2D label_map;
uniform vec2 tan_half;     // tangent of half the field of view, x and y
uniform float lens;        // radial distortion, as in mesh.vert
uniform vec2 probes[PROBES];  // a disc of radius 1, filled by the golden angle; four pixels' turns on each

// Camera-space place of a pixel with a z-distance in metres; the lens undone by fixed-point steps.
vec3 place_of(vec2 uv, float z) {
    vec2 seen = (uv * 2.0 - 1.0) * tan_half, ray = seen;
    for (int k = 0; k < 3; k++) ray = seen / (1.0 + lens * min(dot(ray, ray), 2.5));
    return vec3(ray, -1.0) * z;
}

// Number k's probe of the disc. The four pixels of a quad probe different places, and share what they find.
vec2 probe(int k, vec2 odd) {
    vec2 low = odd.x > 0.5 ? probes[4 * k + 1] : probes[4 * k];
    vec2 high = odd.x > 0.5 ? probes[4 * k + 3] : probes[4 * k + 2];
    return odd.y > 0.5 ? high : low;
}

// Mean over the quad, where its other pixels are the same surface.
float shared_mean(float x, vec2 odd, vec2 same) {
    x -= same.x * (odd.x - 0.5) * dFdx(x);
    return x - same.y * (odd.y - 0.5) * dFdy(x);
}
